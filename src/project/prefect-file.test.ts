import { describe, it } from "vitest";

import { ProjectError } from "./problem.ts";
import { parsePrefectFile } from "./prefect-file.ts";

import type { PrefectFile } from "./prefect-file.ts";

function parse(text: string | Uint8Array): PrefectFile {
  return parsePrefectFile(typeof text === "string" ? new TextEncoder().encode(text) : text, "prefect.yaml");
}

function problemsOf(text: string | Uint8Array): readonly string[] {
  try {
    parse(text);
  } catch (thrown) {
    if (thrown instanceof ProjectError) return thrown.message.split("\n");
    throw thrown;
  }
  return [];
}

/** One deployment with these lines. */
const deployment = (...lines: readonly string[]): string =>
  ["deployments:", "  - name: d", ...lines.map((line) => `    ${line}`)].join("\n");

describe("what is wrong in a prefect.yaml is told with its place", () => {
  it.for<[name: string, text: string | Uint8Array, problems: readonly (string | RegExp)[]]>([
    [
      "an empty file",
      "",
      [/^prefect.yaml:1:1: the file must be a mapping with keys such as `deployments`, but it is empty$/],
    ],
    ["a list", "- a\n", [/but it is a list$/]],
    [
      "a tab",
      "deployments:\n\t- name: x\n",
      [/^prefect.yaml:2:1: this is no valid YAML: the line is indented with a tab; use blanks$/],
    ],
    ["an open quote", 'name: "x\n', [/^prefect.yaml:2:1: this is no valid YAML: Missing closing "quote/]],
    ["an open bracket", "name: [a\nb: c\n", [/^prefect.yaml:2:\d+: this is no valid YAML/]],
    ["two documents", "a: 1\n---\nb: 2\n", [/this is no valid YAML/]],
    ["an unknown alias", "name: *x\n", [/^prefect.yaml:1:7: /]],
    ["an alias of itself", "definitions: &a\n  b: *a\n", [/an alias stands within what it names/]],
    ["aliases that unfold without end", bomb(), [/the aliases unfold to more than can be read/]],
    ["Latin-1", Uint8Array.from([0x6e, 0x3a, 0x20, 0xe4]), [/the file is not UTF-8 text/]],
    ["binary", "name: a\0b\n", [/^prefect.yaml:1:8: the control character 0x00 may not stand in YAML$/]],
    [
      "ten megabytes",
      `x: "${"a".repeat(10 * 1024 * 1024)}"`,
      [/the file is too large: 10.0 MiB, at most 4 MiB are read/],
    ],
    ["a date that does not exist", "name: 2024-02-31\n", [/there is no date 2024-02-31/]],
    [
      "an unknown tag",
      "name: !secret x\n",
      [/^prefect.yaml:1:\d+: name: the tag !secret is not known; leave it out$/],
    ],
    [
      "a name that is a list",
      deployment("entrypoint: [a]"),
      ["prefect.yaml:3:17: deployments[0].entrypoint: expected a text, but this is a list"],
    ],
    [
      "deployments that are no list",
      "deployments: x\n",
      ["prefect.yaml:1:14: deployments: expected a list (items begin with `- `), but this is a text ('x')"],
    ],
    [
      "deployments that are null",
      "deployments:\n",
      [/^prefect.yaml:1:1: deployments: expected a list .*, but this is empty$/],
    ],
    [
      "a deployment that is a text",
      "deployments:\n  - d\n",
      ["prefect.yaml:2:5: deployments[0]: expected a mapping (key: value), but this is a text ('d')"],
    ],
    [
      "parameters that are a list",
      deployment("parameters: [1]"),
      ["prefect.yaml:3:17: deployments[0].parameters: expected a mapping (key: value), but this is a list"],
    ],
    [
      "paused that is a word",
      deployment("paused: maybe"),
      ["prefect.yaml:3:13: deployments[0].paused: expected true or false, but this is a text ('maybe')"],
    ],
    [
      "two kinds of schedule",
      deployment("schedules:", "  - cron: 0 0 * * *", "    interval: 60"),
      [
        "prefect.yaml:4:9: deployments[0].schedules[0]: expected one of cron, interval and rrule, but there are cron and interval",
      ],
    ],
    [
      "a schedule of no kind",
      deployment("schedules:", "  - timezone: UTC"),
      [
        "prefect.yaml:4:9: deployments[0].schedules[0]: expected one of cron, interval and rrule, but there is none",
      ],
    ],
    ["an empty schedule", deployment("schedules: [{}]"), [/but there is none$/]],
    [
      "a key that no schedule has",
      deployment("schedules:", "  - cron: 0 0 * * *", "    timezome: UTC"),
      [
        "prefect.yaml:5:19: deployments[0].schedules[0].timezome: the key 'timezome' is not known here; do you mean timezone?",
      ],
    ],
    [
      "a negative interval",
      deployment("schedules: [{interval: -1}]"),
      ["prefect.yaml:3:28: deployments[0].schedules[0].interval: expected a time above 0, but this is -1"],
    ],
    [
      "schedules that are a mapping",
      deployment("schedules: {cron: 0 0 * * *}"),
      [/deployments\[0\].schedules: expected a list/],
    ],
    [
      "both spellings of schedules",
      deployment("schedule: {cron: 0 0 * * *}", "schedules: []"),
      [
        "prefect.yaml:3:15: deployments[0].schedule: `schedule` and `schedules` stand side by side; put all of them below `schedules`",
      ],
    ],
    [
      "a limit of 0",
      deployment("concurrency_limit: 0"),
      ["prefect.yaml:3:24: deployments[0].concurrency_limit: expected a number above 0, but this is 0"],
    ],
    [
      "a limit that is a word",
      deployment("concurrency_limit: many"),
      [
        /expected a number of runs, or a mapping with limit, collision_strategy and grace_period_seconds, but this is a text \('many'\)$/,
      ],
    ],
    [
      "an unknown strategy",
      deployment("concurrency_limit: {limit: 1, collision_strategy: FAIL}"),
      [/concurrency_limit.collision_strategy: expected one of ENQUEUE, CANCEL_NEW, but this is 'FAIL'$/],
    ],
    [
      "a short grace",
      deployment("concurrency_limit: {limit: 1, grace_period_seconds: 5}"),
      [/grace_period_seconds: expected 60 to 86400 seconds, but this is 5$/],
    ],
    [
      "a pool that is a text",
      deployment("work_pool: p"),
      [
        "prefect.yaml:3:16: deployments[0].work_pool: expected a mapping (key: value), but this is a text ('p')",
      ],
    ],
    [
      "job variables that are null",
      deployment("work_pool: {job_variables: }"),
      [/work_pool.job_variables: expected a mapping \(key: value\), but this is empty$/],
    ],
    [
      "a step with two keys",
      "pull:\n  - a.b: {}\n    c.d: {}\n",
      [
        'prefect.yaml:2:5: pull[0]: expected one step an item, but there are several keys (a.b, c.d); inputs stand one level deeper, each step begins with "- "',
      ],
    ],
    ["a step that is a text", "build:\n  - a.b\n", [/^prefect.yaml:2:5: build\[0\]: /]],
    [
      "a step without inputs",
      "build:\n  - a.b:\n",
      ["prefect.yaml:2:5: build[0].a.b: expected a mapping (key: value), but this is empty"],
    ],
    ["a null among the steps", "push:\n  -\n", [/push\[0\]/]],
    [
      "a date among inputs",
      "pull:\n  - a.b: {since: 2024-01-01}\n",
      [
        "prefect.yaml:2:18: pull[0].a.b.since: 2024-01-01 without quotes is a date to YAML, which no step takes; put it in quotes",
      ],
    ],
    [
      "triggers that are a mapping",
      deployment("triggers: {a: b}"),
      [/deployments\[0\].triggers: expected a list/],
    ],
    [
      "an unknown version type",
      deployment("version_type: git"),
      [/version_type: expected one of prefect:simple, vcs:github/],
    ],
    [
      "tags that are a number",
      deployment("tags: 5"),
      [/tags: expected a list of texts, or a template that gives one, but this is a number \(5\)$/],
    ],
    [
      "a description that is a number",
      deployment("description: 5"),
      ["prefect.yaml:3:18: deployments[0].description: expected a text, but this is a number (5)"],
    ],
    [
      "a switch that is neither",
      deployment("schedules: [{cron: '* * * * *', active: sometimes}]"),
      [/schedules\[0\].active: expected true or false, or a template/],
    ],
  ])("%s", ([, text, expected], { expect }) => {
    const problems = problemsOf(text);
    expect(problems).toHaveLength(expected.length);
    for (const [index, problem] of problems.entries()) {
      const wanted = expected[index];
      if (typeof wanted === "string") expect(problem).toBe(wanted);
      else expect(problem).toMatch(wanted ?? /^$/);
    }
  });

  it("all of it at once, in the file's order", ({ expect }) => {
    const text = `${deployment("paused: 7", "schedules: [{interval: 0}]")}\npull: 3\n`;
    expect(problemsOf(text).map((line) => line.split(": ")[1])).toEqual([
      "deployments[0].paused",
      "deployments[0].schedules[0].interval",
      "pull",
    ]);
  });
});

describe("what may stand there", () => {
  it("numbers as versions and names are texts, as written", ({ expect }) => {
    const { declarations } = parse("deployments:\n  - {name: 007, version: 1.0}\n  - version: 1.10\n");
    expect(declarations.map(({ fields }) => fields)).toEqual([
      { name: "007", version: "1.0" },
      { version: "1.10" },
    ]);
  });

  it("null tags, pool and triggers are as absent", ({ expect }) => {
    const { declarations } = parse(deployment("tags:", "work_pool:", "triggers: null"));
    expect(declarations[0]?.fields).toEqual({ name: "d" });
  });

  it("one step without a list, an empty mapping, null and absent steps are told apart", ({ expect }) => {
    const { actions, declarations } = parse(
      `build: {a.b: {x: 1}}\npush: {}\npull: []\n${deployment("build: null", "pull: [{c.d: {}}]")}`,
    );
    expect(actions).toEqual({ build: [{ "a.b": { x: 1 } }], push: [], pull: [] });
    expect(declarations[0]).toMatchObject({ index: 0, build: null, pull: [{ "c.d": {} }] });
    expect(declarations[0]).not.toHaveProperty("push");
  });

  it("aliases, merges and overrides give each deployment its own", ({ expect }) => {
    const text = `
definitions:
  pool: &pool {name: p, job_variables: {a: 1}}
  base: &base
    work_pool: *pool
    tags: [x]
deployments:
  - <<: *base
    name: one
  - <<: *base
    name: two
    work_pool: {<<: *pool, name: q}
`;
    const { declarations, warnings } = parse(text);
    expect(warnings).toEqual([]);
    expect(declarations.map(({ fields }) => fields)).toEqual([
      { work_pool: { name: "p", job_variables: { a: 1 } }, tags: ["x"], name: "one" },
      { work_pool: { name: "q", job_variables: { a: 1 } }, tags: ["x"], name: "two" },
    ]);
  });

  it("unknown and double keys warn", ({ expect }) => {
    const { warnings } = parse(
      `nmae: x\n${deployment("entry_point: a.py:f", "tags: []", "tags: [b]", "work_pool: {nam: p}")}`,
    );
    expect(warnings.map(({ path, message }) => `${path}: ${message}`)).toEqual([
      "deployments[0].tags: 'tags' stands twice here; the last one counts",
      "nmae: the key 'nmae' is not known here; do you mean name?",
      "deployments[0].entry_point: the key 'entry_point' is not known here; do you mean entrypoint?",
      "deployments[0].work_pool.nam: the key 'nam' is not known here; do you mean name?",
    ]);
  });
});

/** Nine levels of ten aliases each. */
function bomb(): string {
  const lines = ["definitions:", '  a0: &a0 ["x","x","x","x","x","x","x","x","x","x"]'];
  for (let level = 1; level < 9; level += 1) {
    const alias = `*a${level - 1}`;
    lines.push(`  a${level}: &a${level} [${Array.from({ length: 10 }, () => alias).join(", ")}]`);
  }
  return `${lines.join("\n")}\n`;
}
