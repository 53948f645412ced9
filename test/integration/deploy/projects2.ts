import { FLOW } from "./projects.ts";

import type { Project } from "./projects.ts";

function project(name: string, yaml: string, ...runs: readonly (readonly string[])[]): Project {
  return {
    name,
    files: { "flow.py": FLOW, "prefect.yaml": yaml },
    runs: runs.length === 0 ? [["--all"]] : runs,
  };
}

const ONE = `deployments:
  - name: one
    entrypoint: flow.py:my_flow
    work_pool: {name: pool-a}
`;

/** Projects for servers 2.x: what stands on the server after the last command is compared. */
export const PROJECTS_2: readonly Project[] = [
  project("the least", ONE),
  project(
    "metadata, parameters, job variables, queue",
    `${ONE}    version: v1
    description: told
    tags: [a, b]
    parameters: {n: 3}
`.replace("{name: pool-a}", "{name: pool-a, work_queue_name: fast, job_variables: {env: {A: '1'}, cpu: 2}}"),
  ),
  project("version and description of the flow, arguments alone", "name: none\n", [
    "flow.py:other_flow",
    "-n",
    "x",
    "-p",
    "pool-a",
    "--param",
    "flag=false",
    "-t",
    "t",
    "--cron",
    "0 6 * * *",
    "--timezone",
    "Europe/Berlin",
  ]),
  project(
    "schedules of each kind, one of them not active",
    `${ONE}    schedules:
      - {cron: "0 6 * * 1-5", timezone: America/New_York}
      - {interval: 3600, anchor_date: "2024-01-01T00:00:00+00:00", timezone: UTC, active: false}
      - {rrule: "FREQ=WEEKLY;BYDAY=MO", timezone: Europe/Berlin}
`,
  ),
  project(
    "the old key for one schedule",
    `${ONE}    schedule: {interval: 600, anchor_date: "2024-01-01T00:00:00+00:00"}\n`,
  ),
  project("paused", `${ONE}    paused: true\n    schedules: [{cron: "@daily"}]\n`),
  project("schema enforced", `${ONE}    enforce_parameter_schema: true\n    parameters: {n: 2}\n`),
  project(
    "parameters that break an enforced schema",
    `${ONE}    enforce_parameter_schema: true\n    parameters: {n: many}\n`,
  ),
  project("parameters that break a schema that is not enforced", `${ONE}    parameters: {n: many}\n`),
  {
    env: { GREETING_2: "hi" },
    ...project(
      "step outputs, variables, environment, shared and own steps, aliases",
      `definitions:
  pool: &pool {name: "{{ prefect.variables.pool_name }}"}
build:
  - prefect.deployments.steps.run_shell_script: {id: sha, script: echo abc, stream_output: false}
pull:
  - prefect.deployments.steps.git_clone: {repository: "https://example.com/x.git", branch: "{{ sha.stdout }}", access_token: "{{ prefect.blocks.secret.token }}"}
deployments:
  - {name: a, entrypoint: "flow.py:my_flow", work_pool: *pool, tags: ["x-{{ sha.stdout }}"], description: "{{ $GREETING_2 }}!"}
  - name: b
    entrypoint: flow.py:third_flow
    work_pool: {<<: *pool, job_variables: {env: {SHA: "{{ sha.stdout }}", V: "{{ prefect.variables.greeting }}"}}}
    pull:
      - prefect.deployments.steps.set_working_directory: {directory: /srv}
`,
    ),
  },
  project(
    "wildcards",
    `deployments:
  - {name: a-prod, entrypoint: "flow.py:my_flow", work_pool: {name: pool-a}}
  - {name: b-prod, entrypoint: "flow.py:other_flow", work_pool: {name: pool-a}, parameters: {items: [1]}}
  - {name: a-dev, entrypoint: "flow.py:third_flow", work_pool: {name: pool-b}}
`,
    ["-n", "*-prod"],
    ["-n", "third-flow/*"],
  ),
  project("triggers", `${ONE}    triggers: [{expect: [a.b], match: {x: y}}]\n`),
  project(
    "deployed again with less: everything is replaced",
    ONE,
    ["-n", "one", "--cron", "0 1 * * *", "-t", "t", "--param", "n=5", "-q", "slow", "-jv", "cpu=3"],
    ["-n", "one"],
  ),
  project("an unknown pool", ONE.replace("pool-a", "nowhere")),
  project("a pool of agents", ONE.replace("pool-a", "agents")),
];
