import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { parseJson } from "../../src/json/parse.ts";
import { stringifyJson } from "../../src/json/stringify.ts";
import { CircularSchemaError, SchemaValidator } from "../../src/schemas/validator.ts";
import { prefectProgram } from "../support/prefect-server.ts";
import type { Json, JsonObject } from "../../src/json/value.ts";
import type { Reading } from "../../src/schemas/adapt.ts";

const ORACLE = fileURLToPath(new URL("schema-tools/oracle.py", import.meta.url));

/** Kinds of fields, as Pydantic 1 and 2 and people write them. */
const FIELDS: readonly JsonObject[] = [
  { type: "integer" },
  { type: "integer", default: 3 },
  { type: "number", minimum: 0, exclusiveMaximum: 10 },
  { type: "number", multipleOf: 0.5, maximum: 4, exclusiveMinimum: -1 },
  { type: "string", minLength: 1, maxLength: 3 },
  { type: "string", pattern: "^[a-z]+$", default: "" },
  { type: ["string", "integer"] },
  { type: "boolean", default: false },
  { anyOf: [{ type: "integer" }, { type: "null" }], default: null },
  { anyOf: [{ type: "integer" }, { type: "string" }] },
  {
    anyOf: [
      { type: "array", items: { type: "integer" } },
      { type: "object", required: ["a"] },
    ],
  },
  { oneOf: [{ type: "integer" }, { type: "number" }] },
  { oneOf: [{ type: "string", minLength: 2 }, { $ref: "#/definitions/Inner" }] },
  { allOf: [{ $ref: "#/definitions/Inner" }], title: "inner", default: { a: 1 } },
  { $ref: "#/definitions/Inner" },
  { $ref: "#/$defs/Choice" },
  { $ref: "#/definitions/Nowhere" },
  { enum: ["a", 1, null] },
  { const: { a: 1 } },
  { not: { type: "string" } },
  { type: "array", items: { type: "integer" }, minItems: 1, uniqueItems: true },
  { type: "array", items: { $ref: "#/definitions/Inner" }, default: [] },
  { type: "array", prefixItems: [{ type: "integer" }, { type: "string" }], items: false },
  { type: "array", maxItems: 0 },
  { type: "array", contains: { type: "integer" } },
  { type: "object", additionalProperties: { type: "integer" } },
  { type: "object", properties: { a: { type: "string" } }, additionalProperties: false },
  { type: "object", patternProperties: { "^x": { type: "integer" } }, additionalProperties: false },
  { type: "object", minProperties: 1, maxProperties: 2 },
  { type: "object", propertyNames: { maxLength: 1 } },
  { type: "object", dependentRequired: { a: ["b"] } },
  parseJson('{"if": {"type": "integer"}, "then": {"minimum": 5}, "else": {"type": "string"}}') as JsonObject,
  { type: "string", format: "date-time" },
  {},
];

// As texts, for numbers that JavaScript writes otherwise.
const VALUES = (
  'null|true|0|1|1.0|2.5|-1|7|10|1e3|12345678901234567890|"" |"a"|"abcd"|"it\'s \\"x\\"\\n"|"2024-01-01T00:00:00Z"|' +
  '[]|[1]|[1,1]|[1,"a"]|["a",1]|[1,"a",true]|[{"a":1},{"a":"x"}]|[[1.0]]|{}|{"a":1}|{"a":"x"}|{"b":1,"a b":null}|{"x1":"y","z":2}|{"a":1,"b":2,"c":3}'
).split("|");

const DEFINITIONS: JsonObject = {
  definitions: {
    Inner: {
      title: "Inner",
      type: "object",
      properties: { a: { type: "integer" }, c: { type: "string" } },
      required: ["a"],
    },
  },
  $defs: { Choice: { enum: ["a", "b"], type: "string" } },
};

interface Case extends Reading {
  readonly schema: JsonObject;
  readonly value: Json;
}

function cases(): Case[] {
  const readings: Reading[] = [
    { preprocess: true, ignoreRequired: false, allowNoneWithDefault: false },
    { preprocess: true, ignoreRequired: true, allowNoneWithDefault: true },
    { preprocess: false, ignoreRequired: true, allowNoneWithDefault: false },
  ];
  const found: Case[] = [];
  for (const [index, field] of FIELDS.entries()) {
    for (const [at, value] of VALUES.entries()) {
      // Two thirds of all pairs, each under one reading: the library takes its time for new schemas.
      if ((index + at) % 3 === 0) continue;
      const reading = readings[at % readings.length] ?? readings[0]!;
      const isRequired = at % 2 === 0;
      const schema: JsonObject = {
        type: "object",
        properties: { "a field": { type: "integer", default: 1 }, x: field },
        ...(isRequired ? { required: ["x"] } : {}),
        ...DEFINITIONS,
      };
      found.push({ ...reading, schema, value: { x: parseJson(value) } });
      // Two flaws at once: which one is told?
      if (at % 5 === 0) found.push({ ...reading, schema, value: { x: parseJson(value), "a field": "no" } });
    }
    found.push({
      ...readings[0]!,
      schema: { required: ["x"], properties: { x: field }, ...DEFINITIONS },
      value: {},
    });
  }
  return found;
}

it("checks values as the installed Prefect does, and says why not in the same words", async () => {
  const all = cases();
  const child = spawn(prefectProgram(3, "python"), [ORACLE], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, PREFECT_LOGGING_LEVEL: "ERROR", PYTHONDONTWRITEBYTECODE: "1" },
  });
  child.stdin.end(stringifyJson(all as unknown as Json));
  const expected = JSON.parse(await text(child.stdout)) as readonly (string | null)[];
  const validator = await SchemaValidator.load();
  const differences = all.flatMap(({ schema, value, ...reading }, index) => {
    let answer: string | null;
    try {
      answer = validator.failure(stringifyJson(schema), value, reading) ?? null;
    } catch (thrown) {
      if (!(thrown instanceof CircularSchemaError)) throw thrown;
      answer = "circular";
    }
    return answer === expected[index]
      ? []
      : [
          {
            field: stringifyJson(schema["properties"] ?? null),
            value: stringifyJson(value),
            reading,
            expected: expected[index],
            answer,
          },
        ];
  });
  expect(expected).toHaveLength(all.length);
  expect(expected.filter((answer) => answer !== null).length).toBeGreaterThan(300);
  expect(differences).toEqual([]);
});
