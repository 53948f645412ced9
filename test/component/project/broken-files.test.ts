import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, onTestFinished } from "vitest";

import { runCli } from "../../support/cli.ts";
import { startApi } from "../server/api.ts";

const FLOW = "from prefect import flow\n\n@flow\ndef main(n: int = 1): pass\n\ndef plain(): pass\n";

/** One deployment of `flow.py:main` with these lines laid over it. */
function one(...lines: readonly string[]): string {
  return [
    "deployments:",
    "  - name: one",
    ...(lines.some((line) => line.startsWith("entrypoint")) ? [] : ["    entrypoint: flow.py:main"]),
    ...(lines.some((line) => line.startsWith("work_pool")) ? [] : ["    work_pool: {name: pool}"]),
    ...lines.map((line) => `    ${line}`),
    "",
  ].join("\n");
}

const alias = (level: number): string => Array.from({ length: 10 }, () => `*a${level}`).join(", ");
const bomb = [
  'x: &a0 ["lol"]',
  ...Array.from({ length: 9 }, (_, level) => `x${level}: &a${level + 1} [${alias(level)}]`),
];

const BROKEN: readonly (readonly [name: string, file: string | Uint8Array, message: RegExp])[] = [
  ["an empty file", "", /prefect.yaml:1:1: the file must be a mapping/],
  ["only a comment", "# nothing\n", /must be a mapping .* but it is empty/],
  ["a text", "hello\n", /but it is a text/],
  ["a tab", "deployments:\n\t- name: x\n", /prefect.yaml:2:1: .*indented with a tab/],
  ["an open quote", 'name: "x\n', /prefect.yaml:2:1: this is no valid YAML/],
  ["an open brace", "deployments: [{name: x\n", /prefect.yaml:\d+:\d+: this is no valid YAML/],
  [
    "bad indentation",
    "deployments:\n  - name: x\n   entrypoint: y\n",
    /prefect.yaml:3:\d+: this is no valid YAML/,
  ],
  ["a colon too many", "name: a: b\n", /prefect.yaml:1:\d+: this is no valid YAML/],
  ["two documents", "name: a\n---\nname: b\n", /this is no valid YAML/],
  ["an unknown alias", "name: *nobody\n", /prefect.yaml:1:7: /],
  ["a cyclic alias", "definitions: &a {again: *a}\n", /an alias stands within what it names/],
  ["aliases without end", `${bomb.join("\n")}\n`, /the aliases unfold to more than can be read/],
  ["an unknown tag", "name: !!python/object:os.system x\n", /the tag .* is not known/],
  ["a date that does not exist", "name: 2024-13-45\n", /there is no date 2024-13-45/],
  [
    "not UTF-8",
    Uint8Array.from([0x6e, 0x61, 0x6d, 0x65, 0x3a, 0x20, 0xff, 0xfe]),
    /the file is not UTF-8 text/,
  ],
  ["UTF-16", new Uint8Array(Buffer.from("name: x\n", "utf16le")), /the control character 0x00/],
  ["ten megabytes", `name: ${"x".repeat(10 * 1024 * 1024)}\n`, /the file is too large: 10.0 MiB/],
  [
    "deployments that are a mapping",
    "deployments: {a: b}\n",
    /prefect.yaml:1:14: deployments: expected a list/,
  ],
  ["a deployment that is a list", "deployments: [[]]\n", /deployments\[0\]: expected a mapping/],
  ["a version that is a list", one("version: [1]"), /deployments\[0\].version: expected a text/],
  ["paused that is a word", one("paused: maybe"), /paused: expected true or false/],
  ["parameters that are a list", one("parameters: [1]"), /parameters: expected a mapping/],
  ["a parameter of the wrong type", one("parameters: {n: many}"), /n/],
  ["tags that are a mapping", one("tags: {a: b}"), /tags: expected a list of texts/],
  ["a pool that is a text", one("work_pool: pool"), /work_pool: expected a mapping/],
  ["a limit that is a word", one("concurrency_limit: some"), /concurrency_limit: expected a number of runs/],
  ["a limit of 0", one("concurrency_limit: 0"), /expected a number above 0, but this is 0/],
  [
    "an unknown strategy",
    one("concurrency_limit: {limit: 1, collision_strategy: WAIT}"),
    /expected one of ENQUEUE, CANCEL_NEW/,
  ],
  [
    "two kinds of schedule",
    one("schedules: [{cron: '* * * * *', interval: 5}]"),
    /expected one of cron, interval and rrule, but there are cron and interval/,
  ],
  [
    "an unknown key in a schedule",
    one("schedules: [{cron: '* * * * *', tz: UTC}]"),
    /the key 'tz' is not known here/,
  ],
  [
    "both spellings of schedules",
    one("schedule: {interval: 5}", "schedules: []"),
    /`schedule` and `schedules` stand side by side/,
  ],
  [
    "a bad cron line",
    one("schedules: [{cron: '61 * * * *'}]"),
    /prefect.yaml:5:17: deployments\[0\].schedules\[0\]: .*61 \* \* \* \*/,
  ],
  [
    "a bad time zone",
    one("schedules: [{cron: '0 0 * * *', timezone: Mars/Base}]"),
    /schedules\[0\]: .*Mars\/Base/,
  ],
  [
    "a bad interval",
    one("schedules: [{interval: often}]"),
    /interval: expected seconds, HH:MM:SS or an ISO 8601 duration, but this is often/,
  ],
  ["a bad anchor", one("schedules: [{interval: 5, anchor_date: yesterday}]"), /anchor_date: expected a date/],
  [
    "a bad trigger",
    one("triggers: [{posture: Sideways}]"),
    /triggers\[0\]: posture: expected Reactive or Proactive/,
  ],
  ["a step with two keys", "pull: [{a.b: {}, c.d: {}}]\n", /pull\[0\]: expected one step an item/],
  ["a step that is a text", "build: [a.b]\n", /build\[0\]: expected/],
  [
    "a date among a step's inputs",
    "pull: [{a.b: {since: 2024-01-01}}]\n",
    /without quotes is a date to YAML/,
  ],
  ["no entrypoint", one("entrypoint: null"), /an entrypoint must be provided/],
  [
    "an entrypoint whose file is missing",
    one("entrypoint: gone.py:main"),
    /the file gone.py does not exist \(in .* there is flow.py\)/,
  ],
  [
    "an entrypoint whose function is missing",
    one("entrypoint: flow.py:gone"),
    /flow.py has no flow 'gone'; its flows are main/,
  ],
  ["an entrypoint that is no flow", one("entrypoint: flow.py:plain"), /'plain' in flow.py is not a flow/],
  ["an entrypoint that is none", one("entrypoint: flow"), /'flow' is no entrypoint/],
  ["no pool", one("work_pool: {}"), /a work pool is required/],
  ["an unknown pool", one("work_pool: {name: nowhere}"), /the work pool 'nowhere', which does not exist/],
  ["a name with a slash", one("name: a/b"), /'a\/b' holds a character that no name may hold/],
  ["a missing block", one("description: '{{ prefect.blocks.secret.gone }}'"), /gone/],
  [
    "a failing build step",
    `${one()}build: [{prefect.deployments.steps.run_shell_script: {script: "false"}}]\n`,
    /Build step 1 of 1 .* failed/,
  ],
];

describe("a broken prefect.yaml gives one clear message, exit status 1, and nothing is registered", () => {
  it.for(BROKEN)("%s", async ([, file, message], { expect }) => {
    const api = await startApi();
    await api.post("/work_pools/", { name: "pool", type: "process" });
    const cwd = await mkdtemp(join(tmpdir(), "broken-"));
    onTestFinished(() => rm(cwd, { recursive: true, force: true }));
    await writeFile(join(cwd, "flow.py"), FLOW);
    await writeFile(join(cwd, "prefect.yaml"), file);
    const { code, stderr, stdout } = await runCli(["deploy"], {
      cwd,
      apiUrl: api.server.apiUrl,
      env: { PATH: process.env["PATH"] ?? "", LIGHTERMAN_PYTHON: "python3" },
    });
    expect(stderr).toMatch(message);
    expect(stderr.match(/^Error: /gm)).toHaveLength(1);
    expect(stderr).not.toMatch(/^ +at /m); // no stack of ours
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(await api.post("/deployments/count", {})).toBe(0);
    expect(await api.post("/flows/count", {})).toBe(0);
  });
});
