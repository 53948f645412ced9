import { FLOW } from "./projects.ts";

import type { Project } from "./projects.ts";

const ONE = `deployments:
  - name: one
    entrypoint: flow.py:my_flow
    work_pool: {name: pool-a}
    schedules: [{interval: 600, anchor_date: "2024-01-01T00:00:00Z"}, {cron: "0 1 * * *"}]
`;

function flags(name: string, ...runs: readonly (readonly string[])[]): Project {
  return { name, files: { "flow.py": FLOW, "prefect.yaml": ONE, "t.json": TRIGGERS }, runs };
}

const TRIGGERS = '{"triggers": [{"expect": ["a.b"], "name": "of the file"}]}';

/** Each flag of `prefect deploy --help` that the other projects say nothing of, and how command lines are refused. */
export const FLAG_PROJECTS: readonly Project[] = [
  flags("a limit with a strategy", ["-cl", "3", "--collision-strategy", "CANCEL_NEW"]),
  flags("a strategy without a limit", ["--collision-strategy", "CANCEL_NEW"]),
  flags("an unknown strategy", ["-cl", "3", "--collision-strategy", "DROP"]),
  flags("a limit of 0", ["--concurrency-limit", "0"]),
  flags("anchor and zone for the file's schedules too", [
    "--interval",
    "60",
    "--rrule",
    "FREQ=DAILY",
    "--anchor-date",
    "2025-01-01T06:00:00Z",
    "--timezone",
    "Europe/Berlin",
  ]),
  flags("an anchor alone", ["--anchor-date", "2025-01-01T06:00:00Z"]),
  flags("an interval of 0", ["--interval", "0"]),
  flags("an interval that is no number", ["--interval", "often"]),
  flags("a limit that is no number", ["--concurrency-limit", "many"]),
  flags("triggers as JSON and as a file", ["--trigger", '{"expect": ["x"]}', "--trigger", "t.json"]),
  flags("a trigger that is neither", ["--trigger", "{expect"]),
  flags(
    "version types",
    ["--version-type", "prefect:simple"],
    ["--version", "7", "--version-type", "vcs:git"],
  ),
  flags("an unknown version type", ["--version-type", "svn"]),
  flags("parameters of every kind", [
    "--param",
    "n=3",
    "--param",
    'name=["a", 1]',
    "--no-enforce-parameter-schema",
  ]),
  flags("a parameter without a value", ["--param", "n"]),
  flags("parameters that are no JSON", ["--params", "{n"]),
  flags("a value with = in it", ["--param", "name=a=b", "-jv", "command=x=y"]),
  flags("empty lists", ["--empty-tag", "--empty-cron", "--empty-name", "--empty-trigger", "--no-all"]),
  flags("an unknown flag", ["--colour", "blue"]),
  flags("two entrypoints", ["flow.py:my_flow", "flow.py:third_flow"]),
  flags("a flag without its value", ["--name"]),
  flags("another entrypoint for the declared one", ["flow.py:third_flow", "--name", "one"]),
  flags("a file that is not there", ["--prefect-file", "gone.yaml"]),
  flags("a file that is a directory", ["--prefect-file", "."]),
];
