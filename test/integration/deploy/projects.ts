/** A project of a test: its files, and the `deploy` command lines that are run in it, one after the other. */
export interface Project {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  /** What stands behind `deploy`. */
  readonly runs: readonly (readonly string[])[];
  readonly env?: Readonly<Record<string, string>>;
  /** Run before the first command. */
  readonly git?: boolean;
}

/** Pools that the servers have. */
export const POOLS = {
  "pool-a": {
    type: "process",
    base_job_template: {
      job_configuration: { command: "{{ command }}", env: "{{ env }}", labels: "{{ labels }}" },
      variables: {
        type: "object",
        properties: {
          command: { type: "string", title: "Command" },
          env: { type: "object", additionalProperties: { type: ["string", "null"] } },
          labels: { type: "object", additionalProperties: { type: "string" } },
          cpu: { type: "integer" },
          image: { type: "string" },
          size: { type: "string", enum: ["s", "m", "l"] },
        },
      },
    },
  },
  "pool-b": { type: "process", base_job_template: {} },
  agents: { type: "prefect-agent", base_job_template: {} },
} as const;

export const VARIABLES = {
  pool_name: "pool-a",
  is_prod: true,
  tag_list: ["v1", "v2"],
  settings: { a: 1, b: [true, null] },
  greeting: "hello",
  nothing: null,
} as const;

/** Secret blocks, by name. */
export const SECRETS = { token: "s3cr3t-canary", "json-one": { user: "u", password: "p-canary" } } as const;

export const FLOW = `from prefect import flow

@flow
def my_flow(n: int = 1, name: str = "x"):
    """Counts.

    Args:
        n: how many
        name: of what
            and for whom
    """

@flow(name="Other Flow", version="2.5", description="told")
def other_flow(items: list[int], flag: bool = True): pass

@flow
def third_flow():
    "The third."
`;

/** One deployment of `flow.py:my_flow` with these lines. */
function one(...lines: readonly string[]): string {
  return [
    "deployments:",
    "  - name: one",
    "    entrypoint: flow.py:my_flow",
    "    work_pool: {name: pool-a}",
    ...lines.map((line) => `    ${line}`),
    "",
  ].join("\n");
}

function single(name: string, lines: readonly string[], ...runs: readonly (readonly string[])[]): Project {
  return {
    name,
    files: { "flow.py": FLOW, "prefect.yaml": one(...lines) },
    runs: runs.length === 0 ? [[]] : runs,
  };
}

function whole(name: string, yaml: string, ...runs: readonly (readonly string[])[]): Project {
  return {
    name,
    files: { "flow.py": FLOW, "prefect.yaml": yaml },
    runs: runs.length === 0 ? [["--all"]] : runs,
  };
}

const THREE = `
deployments:
  - {name: a-prod, entrypoint: "flow.py:my_flow", work_pool: {name: pool-a}}
  - {name: b-prod, entrypoint: "flow.py:other_flow", work_pool: {name: pool-a}, parameters: {items: [1]}}
  - {name: a-dev, entrypoint: "flow.py:third_flow", work_pool: {name: pool-b}}
`;

export const PROJECTS: readonly Project[] = [
  single("the least", []),
  single("metadata", ["version: v1.2", "description: Does things", "tags: [a, b, a, '', 5, true, null]"]),
  single("a flow's own description and version", [], ["flow.py:other_flow", "-n", "x"]),
  single("multi-line description", ["description: |", "  # Title", "  text"]),
  whole("paused, and paused given again", one("paused: true"), [], []),
  single("a pool's queue, made when missing", ["work_pool: {name: pool-a, work_queue_name: fast}"]),
  single("empty queue", ["work_pool: {name: pool-a, work_queue_name: ''}"]),
  single("parameters", ["parameters: {n: 5, name: 'y'}"]),
  single("parameters that break the schema", ["parameters: {n: many}"]),
  single("unknown parameters", ["parameters: {unknown: 1}"]),
  single("schema not enforced", ["enforce_parameter_schema: false", "parameters: {n: many}"]),
  single("schema not enforced by flag", ["parameters: {n: many}"], ["--no-enforce-parameter-schema"]),
  single("schema enforced, null", ["enforce_parameter_schema: null", "parameters: {n: 2}"]),
  single("job variables", [
    "work_pool: {name: pool-a, job_variables: {env: {A: '1', B: 'x {{ $HOME_OF_X }}'}, cpu: 2}}",
  ]),
  single("job variables that break the pool's schema", [
    "work_pool: {name: pool-a, job_variables: {cpu: many}}",
  ]),
  single("an enumeration in job variables", ["work_pool: {name: pool-a, job_variables: {size: xl}}"]),
  single("concurrency limit", ["concurrency_limit: 3"]),
  single("concurrency limit with strategy", [
    "concurrency_limit: {limit: 2, collision_strategy: CANCEL_NEW, grace_period_seconds: 90}",
  ]),
  single(
    "concurrency limit by flags",
    [],
    ["--concurrency-limit", "4", "--collision-strategy", "CANCEL_NEW"],
    ["-cl", "7"],
  ),
  single("concurrency limit taken away", ["concurrency_limit: 3"], [], ["--concurrency-limit", "1"]),
  // Schedules
  single("cron with everything", [
    "schedules:",
    "  - {cron: '0 9 * * 1-5', timezone: Europe/Berlin, day_or: false, active: false, slug: week, parameters: {n: 7}}",
  ]),
  single("legacy schedule", ["schedule: {cron: '5 4 * * *', timezone: UTC}"]),
  single("empty legacy schedule", ["schedule: {}"]),
  single("intervals", [
    "schedules:",
    "  - {interval: 600, anchor_date: '2024-01-01T09:00:00+02:00', timezone: America/New_York}",
    "  - {interval: 90.5, anchor_date: 2024-01-01}",
    "  - {interval: PT1H30M, anchor_date: '2024-02-02'}",
    "  - {interval: '01:30:00', anchor_date: '2024-02-02T10:00:00'}",
  ]),
  single("rules", [
    "schedules:",
    "  - {rrule: 'FREQ=WEEKLY;BYDAY=MO,WE', timezone: Europe/Paris}",
    "  - {rrule: 'DTSTART:20240101T090000\\nRRULE:FREQ=DAILY;COUNT=5'}",
    `  - {rrule: '{"rrule": "FREQ=MONTHLY;BYMONTHDAY=1", "timezone": "Asia/Tokyo"}'}`,
  ]),
  single("several kinds", [
    "schedules: [{cron: '@daily'}, {interval: 3600, anchor_date: '2024-01-01'}, {rrule: FREQ=YEARLY}]",
  ]),
  single(
    "schedules from flags are added",
    ["schedules: [{cron: '0 0 * * *'}]"],
    ["--cron", "5 5 * * *", "--rrule", "FREQ=DAILY", "--timezone", "Europe/Rome"],
  ),
  single(
    "anchor by flag",
    ["schedules: [{interval: 60}]"],
    ["--interval", "120", "--anchor-date", "2024-03-03T00:00:00Z"],
  ),
  single("schedules that wait for a template", ["schedules: [{cron: '{{ prefect.variables.cron }}'}]"]),
  single("active by variable", [
    "schedules: [{cron: '0 1 * * *', active: '{{ prefect.variables.is_prod }}'}]",
  ]),
  whole(
    "slugs are matched again",
    one("schedules: [{cron: '0 1 * * *', slug: a}, {cron: '0 2 * * *', slug: b}]"),
    [],
  ),
  single("bad cron", ["schedules: [{cron: '99 * * * *'}]"]),
  single("bad zone", ["schedules: [{cron: '0 * * * *', timezone: Mars/Base}]"]),
  single("bad rule", ["schedules: [{rrule: FREQ=NEVER}]"]),
  // Selection
  whole("--all", THREE),
  whole("one name", THREE, ["-n", "a-dev"]),
  whole("several names", THREE, ["-n", "a-dev", "-n", "b-prod"]),
  whole("flow and name", THREE, ["-n", "my-flow/a-prod"]),
  whole("flow and name with underscores", THREE, ["-n", "my_flow/a-prod"]),
  whole("a pattern of names", THREE, ["-n", "a*"]),
  whole("a pattern of flow and name", THREE, ["-n", "*flow/a-dev"]),
  whole("a pattern with a star in the middle", THREE, ["-n", "b*prod"]),
  whole("no name for several", THREE, []),
  whole("--all with a name", THREE, ["--all", "-n", "a-dev"]),
  whole("an unknown name among known", THREE, ["-n", "a-dev", "-n", "none"]),
  single("another name for the only one", [], ["-n", "renamed"]),
  whole(
    "an unnamed one is skipped",
    `${THREE}  - {entrypoint: "flow.py:my_flow", work_pool: {name: pool-a}}\n`,
  ),
  {
    name: "no file",
    files: { "flow.py": FLOW },
    runs: [["flow.py:third_flow", "-n", "bare", "-p", "pool-b"]],
  },
  {
    name: "no entrypoint",
    files: { "prefect.yaml": "deployments: [{name: x, work_pool: {name: pool-a}}]\n" },
    runs: [[]],
  },
  single("no name", ["name: null"]),
  single("no pool", ["work_pool: {}"]),
  single("unknown pool", ["work_pool: {name: nowhere}"]),
  single("a pool of agents", ["work_pool: {name: agents}"]),
  single("missing file of the flow", ["entrypoint: gone.py:f"]),
  single("missing function", ["entrypoint: flow.py:gone"]),
  {
    name: "default pool",
    files: { "flow.py": FLOW, "prefect.yaml": "deployments: [{name: x, entrypoint: 'flow.py:my_flow'}]\n" },
    runs: [[]],
    env: { PREFECT_DEPLOYMENTS_DEFAULT_WORK_POOL_NAME: "pool-b" },
  },
  {
    name: "a module path",
    files: {
      "pkg/__init__.py": "",
      "pkg/flows.py": FLOW,
      "prefect.yaml": "deployments: [{name: x, entrypoint: pkg.flows.my_flow, work_pool: {name: pool-a}}]\n",
    },
    runs: [[]],
    env: { PYTHONPATH: "." },
  },
  {
    name: "a flow that cannot be imported",
    files: { "flow.py": `import not_installed\n${FLOW}`, "prefect.yaml": one() },
    runs: [[]],
  },
  {
    name: "another file",
    files: { "flow.py": FLOW, "deploy/other.yaml": one("tags: [z]") },
    runs: [["--prefect-file", "deploy/other.yaml"]],
  },
  // Overrides
  single(
    "every override",
    ["tags: [x]", "parameters: {n: 1}"],
    [
      "-d",
      "text",
      "--version",
      "9",
      "-t",
      "p",
      "-t",
      "q",
      "-q",
      "fast",
      "--param",
      "n=3",
      "--param",
      "name=bob",
    ],
  ),
  single("parameters as JSON", ["parameters: {n: 1}"], ["--params", '{"name": "z"}']),
  single("param and params", [], ["--params", "{}", "--param", "n=1"]),
  single("a job variable for none", [], ["--job-variable", "cpu=3"], ["-jv", '{"env": {"A": "b"}}']),
  single("a bad job variable", [], ["--job-variable", "cpu"]),
  whole("overrides are ignored for several", THREE, ["--all", "-t", "ignored", "--cron", "0 0 * * *"]),
  // Steps and templates
  whole(
    "step outputs in pull, job variables and tags",
    `
build:
  - prefect.deployments.steps.run_shell_script: {id: sha, script: echo abc123, stream_output: false}
  - prefect.deployments.steps.run_shell_script: {id: second, script: "echo {{ sha.stdout }}-x", stream_output: false}
pull:
  - prefect.deployments.steps.git_clone: {repository: "https://example.com/{{ sha.stdout }}.git", branch: "{{ $BRANCH }}", access_token: "{{ prefect.blocks.secret.token }}"}
  - prefect.deployments.steps.run_shell_script: {script: "echo {{ prefect.variables.greeting }} {{ $UNSET_NAME }} {{ unknown }} {{ second.stdout }}"}
deployments:
  - name: one
    entrypoint: flow.py:my_flow
    version: "{{ sha.stdout }}"
    tags: ["v-{{ sha.stdout }}", "{{ second.stdout }}!"]
    description: "{{ stdout }} of {{ sha.stdout }}"
    parameters: {name: "{{ sha.stdout }}"}
    work_pool: {name: pool-a, job_variables: {env: {SHA: "{{ sha.stdout }}", GONE: "{{ gone.x }}"}, image: "r/{{ sha.stdout }}"}}
`,
    [],
  ),
  whole(
    "own steps take the place of the shared",
    `
build: [{prefect.deployments.steps.run_shell_script: {id: s, script: echo shared, stream_output: false}}]
pull: [{prefect.deployments.steps.set_working_directory: {directory: /shared}}]
deployments:
  - {name: shared, entrypoint: "flow.py:my_flow", work_pool: {name: pool-a}, tags: ["x{{ s.stdout }}"]}
  - {name: own, entrypoint: "flow.py:my_flow", work_pool: {name: pool-a}, tags: ["x{{ s.stdout }}"], build: [{prefect.deployments.steps.run_shell_script: {id: s, script: echo own, stream_output: false}}], pull: [{prefect.deployments.steps.set_working_directory: {directory: /own}}]}
  - {name: none, entrypoint: "flow.py:my_flow", work_pool: {name: pool-a}, tags: ["x{{ s.stdout }}"], build: null, pull: []}
  - {name: null-pull, entrypoint: "flow.py:my_flow", work_pool: {name: pool-a}, build: [], pull: null}
`,
  ),
  whole("shared pull of nothing", `pull: []\n${one()}`, []),
  whole(
    "one step without a list",
    `pull: {prefect.deployments.steps.set_working_directory: {directory: /x}}\n${one()}`,
    [],
  ),
  single("a failing build step", [
    "build: [{prefect.deployments.steps.run_shell_script: {script: 'false'}}]",
  ]),
  single("an image without a build step", ["work_pool: {name: pool-a, job_variables: {image: r/i:t}}"]),
  single("variables", [
    "tags: '{{ prefect.variables.tag_list }}'",
    "work_pool: {name: '{{ prefect.variables.pool_name }}'}",
    "parameters: {name: 'say {{ prefect.variables.greeting }}', n: 3}",
    "description: '{{ prefect.variables.absent }}'",
  ]),
  {
    ...single("the environment", [
      "name: 'n-{{ $STAGE }}'",
      "tags: ['{{ $STAGE }}', 'x{{ STAGE }}', 'y{{ $NOT_SET_HERE }}z']",
      "work_pool: {name: pool-a, job_variables: {env: {S: '{{ $STAGE }}', T: '{{ $NOT_SET_HERE }}', C: '{{ ctx.flow_run.id }}'}}}",
    ]),
    env: { STAGE: "dev" },
  },
  single("a block in parameters", ["parameters: {name: '{{ prefect.blocks.secret.token }}'}"]),
  single("a block's key", ["description: 'u={{ prefect.blocks.secret.json-one.value.user }}'"]),
  single("a missing block", ["description: '{{ prefect.blocks.secret.absent }}'"]),
  whole(
    "aliases with merges and overrides",
    `
definitions:
  schedules:
    every: &every {interval: 600, anchor_date: "2024-01-01"}
  pools:
    base: &base {name: pool-a, job_variables: {env: {A: "1"}}}
  actions:
    echo: &echo
      - prefect.deployments.steps.run_shell_script: {id: e, script: echo 1, stream_output: false}
deployments:
  - {name: one, entrypoint: "flow.py:my_flow", schedules: [*every], work_pool: *base, build: *echo}
  - {name: two, entrypoint: "flow.py:my_flow", schedules: [{<<: *every, interval: 1200, timezone: UTC}], work_pool: {<<: *base, work_queue_name: q2}}
  - {name: three, entrypoint: "flow.py:third_flow", work_pool: {<<: *base, job_variables: {cpu: 1}}}
`,
  ),
  // Triggers
  single("triggers", [
    "triggers:",
    "  - {type: event, enabled: true, match: {prefect.resource.id: hello.world}, expect: [external.resource.pinged], parameters: {name: '{{ event.resource.id }}'}}",
    "  - {expect: [a.b, c.*], for_each: [prefect.resource.id], threshold: 3, within: 60, match_related: {prefect.resource.role: flow}, schedule_after: 30, name: mine, description: told}",
  ]),
  single("a proactive trigger", ["triggers: [{posture: Proactive, expect: [x], after: [y], within: 30}]"]),
  single("a proactive trigger without time", ["triggers: [{posture: Proactive, expect: [x]}]"]),
  single("a proactive trigger too short", ["triggers: [{posture: Proactive, expect: [x], within: 5}]"]),
  single("compound and sequence triggers", [
    "triggers:",
    "  - {type: compound, require: any, within: 60, triggers: [{expect: [a]}, {type: event, expect: [b]}]}",
    "  - {triggers: [{expect: [a]}, {expect: [b]}], within: 10}",
  ]),
  single("a trigger disabled by a variable", [
    "triggers: [{enabled: '{{ prefect.variables.is_prod }}', expect: [x], job_variables: {cpu: 2}}]",
  ]),
  whole(
    "triggers are replaced and taken away",
    one("triggers: [{expect: [x]}]"),
    [],
    ["--trigger", '{"expect": ["y"]}'],
  ),
  single("a bad trigger", ["triggers: [{posture: Sideways, expect: [x]}]"]),
  {
    ...single("a trigger from a file", [], ["--trigger", "t.yaml"]),
    files: { "flow.py": FLOW, "prefect.yaml": one(), "t.yaml": "triggers: [{expect: [from.file]}]\n" },
  },
  // Versions
  { ...single("the commit as version", []), git: true },
  { ...single("version type simple in a commit", ["version_type: prefect:simple"]), git: true },
  { ...single("own version in a commit", ["version: mine"]), git: true },
  {
    ...single("a service's commit", []),
    git: true,
    env: {
      GITHUB_SHA: "0123456789abcdef",
      GITHUB_REF_NAME: "main",
      GITHUB_REPOSITORY: "o/r",
      GITHUB_SERVER_URL: "https://example.com",
    },
  },
  // Again
  single("deployed twice", ["tags: [a]", "parameters: {n: 2}", "schedules: [{cron: '0 3 * * *'}]"], [], []),
  single(
    "changed the second time",
    ["tags: [a]", "concurrency_limit: 2"],
    [],
    ["-t", "b", "--cron", "0 4 * * *", "-p", "pool-b"],
  ),
  single("tags as a text become letters", ["tags: abc"]),
  single("a name that ends in .py", ["name: flow.py"]),
  single("unicode", ["description: 'Grüße 🚀'", "tags: [ünï]"]),
];
