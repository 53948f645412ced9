import { readFile } from "node:fs/promises";

import { Ajv } from "ajv";
import { describe, it } from "vitest";

import { parsePrefectFile } from "../../../src/project/prefect-file.ts";
import { parseYaml } from "../../../src/project/yaml-source.ts";
import { PROJECTS } from "../../integration/deploy/projects.ts";

const schema = JSON.parse(
  await readFile(new URL("../../../prefect.schema.json", import.meta.url), "utf8"),
) as Readonly<Record<string, unknown>>;
const validate = new Ajv({ strict: false, allErrors: true }).compile(schema);

/** JSON pointers of what the schema that is shipped finds wrong in a file. */
function mistakes(yaml: string): readonly string[] {
  const { value } = parseYaml(Buffer.from(yaml), "prefect.yaml");
  validate(JSON.parse(JSON.stringify(value)));
  return (validate.errors ?? []).map(({ instancePath, keyword }) => `${instancePath} ${keyword}`);
}

function one(line: string): string {
  return `deployments:\n  - name: one\n    entrypoint: flow.py:main\n    ${line}\n`;
}

/** Files that `deploy` takes without a word. */
const SOUND = PROJECTS.flatMap(({ name, files }) => {
  const yaml = files["prefect.yaml"];
  if (yaml === undefined) return [];
  try {
    return parsePrefectFile(Buffer.from(yaml), "prefect.yaml").warnings.length === 0 ? [{ name, yaml }] : [];
  } catch {
    return []; // one of the refused
  }
});

const BROKEN: readonly (readonly [line: string, place: string])[] = [
  ["entrypiont: flow.py:main", "/deployments/0 additionalProperties"],
  ["tags: 5", "/deployments/0/tags type"],
  ["parameters: [a]", "/deployments/0/parameters type"],
  ["paused: maybe", "/deployments/0/paused type"],
  ["version_type: svn", "/deployments/0/version_type enum"],
  ["work_pool: pool", "/deployments/0/work_pool type"],
  ["work_pool: {nmae: pool}", "/deployments/0/work_pool additionalProperties"],
  ["work_pool: {job_variables: [a]}", "/deployments/0/work_pool/job_variables type"],
  ["schedules: {cron: '* * * * *'}", "/deployments/0/schedules type"],
  ["schedules: [{cron: '* * * * *', interval: 60}]", "/deployments/0/schedules/0 oneOf"],
  ["schedules: [{timezone: UTC}]", "/deployments/0/schedules/0 oneOf"],
  ["schedules: [{cron: '* * * * *', timezome: UTC}]", "/deployments/0/schedules/0 additionalProperties"],
  ["schedules: [{interval: -1}]", "/deployments/0/schedules/0/interval exclusiveMinimum"],
  ["schedules: [{cron: '* * * * *', active: 5}]", "/deployments/0/schedules/0/active type"],
  ["concurrency_limit: 0", "/deployments/0/concurrency_limit exclusiveMinimum"],
  [
    "concurrency_limit: {limit: 1, collision_strategy: DROP}",
    "/deployments/0/concurrency_limit/collision_strategy enum",
  ],
  [
    "concurrency_limit: {limit: 1, grace_period_seconds: 5}",
    "/deployments/0/concurrency_limit/grace_period_seconds minimum",
  ],
  ["build: [{a.b: {}, c.d: {}}]", "/deployments/0/build/0 maxProperties"],
  ["pull: [{a.b: null}]", "/deployments/0/pull/0/a.b type"],
  ["triggers: {expect: [a]}", "/deployments/0/triggers type"],
];

describe("prefect.schema.json", () => {
  it("takes every file of the comparison with Prefect that `deploy` takes without a warning", ({
    expect,
  }) => {
    expect(SOUND.length).toBeGreaterThan(60);
    for (const { name, yaml } of SOUND) expect(mistakes(yaml), `${name}\n${yaml}`).toEqual([]);
  });

  it("takes keys at the top that only hold anchors", ({ expect }) => {
    const yaml = `definitions:\n  pool: &pool {name: p}\n${one("work_pool: {<<: *pool, work_queue_name: q}")}`;
    expect(mistakes(yaml)).toEqual([]);
  });

  it.for(BROKEN)("marks %s", ([line, place], { expect }) => {
    expect(mistakes(one(line))).toContain(place);
  });

  it("explains every key that a deployment may have", ({ expect }) => {
    expect(schema).toMatchObject({ $id: "urn:lighterman:prefect.yaml" });
    const definitions = schema["definitions"] as Readonly<Record<string, { readonly properties: object }>>;
    for (const name of ["deployment", "schedule"]) {
      for (const [key, field] of Object.entries(definitions[name]?.properties ?? {})) {
        expect(field, `${name}.${key}`).toHaveProperty("description");
      }
    }
    expect(Object.keys(definitions["deployment"]?.properties ?? {}).length).toBe(19);
  });
});
