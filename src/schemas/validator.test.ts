import { describe, it } from "vitest";

import { stringifyJson } from "../json/stringify.ts";
import { parseJson } from "../json/parse.ts";
import { CircularSchemaError, SchemaValidator } from "./validator.ts";

import type { Json } from "../json/value.ts";
import type { Reading } from "./adapt.ts";

const READING: Reading = { preprocess: true, ignoreRequired: false, allowNoneWithDefault: false };
const validator = await SchemaValidator.load();

/** As Prefect generates it, with references. */
const SCHEMA = {
  title: "Parameters",
  type: "object",
  properties: {
    n: { type: "integer", position: 0 },
    s: { type: "string", default: "x" },
    either: { anyOf: [{ type: "integer" }, { type: "array", items: { type: "string" } }] },
    inner: { $ref: "#/definitions/Inner" },
    defs: { $ref: "#/$defs/Choice" },
    list: { type: "array", items: { type: "integer" }, minItems: 1 },
    pair: { type: "array", items: [{ type: "integer" }, { type: "string" }], default: [1, "a"] },
  },
  required: ["n"],
  definitions: {
    Inner: {
      type: "object",
      properties: { a: { type: "integer" } },
      required: ["a"],
      additionalProperties: false,
    },
  },
  $defs: { Choice: { enum: ["a", "b"] } },
};

function failure(value: string, schema: object = SCHEMA, reading = READING): string | undefined {
  return validator.failure(stringifyJson(schema as Json), parseJson(value), reading);
}

describe("a value that fits", () => {
  it.for([
    '{"n": 1}',
    '{"n": 1.0}',
    '{"n": 12345678901234567890}',
    '{"n": 1, "surplus": true}',
    '{"n": 1, "either": ["a"], "inner": {"a": 2}, "defs": "b", "list": [1]}',
    '{"n": 1, "pair": [1, "b"]}',
    // Optional, and without a default: Pydantic 1 does not say that it may be null.
    '{"n": 1, "list": null}',
  ])("%s", (value, { expect }) => {
    expect(failure(value)).toBeUndefined();
  });
});

describe("a value that does not fit is told in Prefect's words", () => {
  it.for([
    ["{}", "Validation failed. Failure reason: 'n' is a required property"],
    ['{"n": "x"}', "Validation failed for field 'n'. Failure reason: 'x' is not of type 'integer'"],
    ['{"n": 1.5}', "Validation failed for field 'n'. Failure reason: 1.5 is not of type 'integer'"],
    ['{"n": true}', "Validation failed for field 'n'. Failure reason: True is not of type 'integer'"],
    ['{"n": 1, "s": null}', "Validation failed for field 's'. Failure reason: None is not of type 'string'"],
    ['{"n": 1, "s": 1.0}', "Validation failed for field 's'. Failure reason: 1.0 is not of type 'string'"],
    // Of alternatives the deepest error counts.
    [
      '{"n": 1, "either": [1]}',
      "Validation failed for field 'either[0]'. Failure reason: 1 is not of type 'string'",
    ],
    [
      '{"n": 1, "either": "a"}',
      "Validation failed for field 'either'. Failure reason: 'a' is not valid under any of the given schemas",
    ],
    [
      '{"n": 1, "inner": {}}',
      "Validation failed for field 'inner'. Failure reason: 'a' is a required property",
    ],
    [
      '{"n": 1, "inner": {"a": "x"}}',
      "Validation failed for field 'inner.a'. Failure reason: 'x' is not of type 'integer'",
    ],
    [
      '{"n": 1, "inner": {"a": 1, "c d": 2, "b": 3}}',
      "Validation failed for field 'inner'. Failure reason: Additional properties are not allowed ('b', 'c d' were unexpected)",
    ],
    [
      '{"n": 1, "defs": "c"}',
      "Validation failed for field 'defs'. Failure reason: 'c' is not one of ['a', 'b']",
    ],
    ['{"n": 1, "list": []}', "Validation failed for field 'list'. Failure reason: [] should be non-empty"],
    [
      '{"n": 1, "pair": ["a", 1]}',
      "Validation failed for field 'pair[1]'. Failure reason: 1 is not of type 'string'",
    ],
  ] as const)("%s", ([value, message], { expect }) => {
    expect(failure(value)).toBe(message);
  });
});

describe("how a schema is read", () => {
  it("leaves out what is required, in whatever depth", ({ expect }) => {
    expect(failure('{"inner": {}}', SCHEMA, { ...READING, ignoreRequired: true })).toBeUndefined();
  });

  it("lets a field with a default be null where that is asked for", ({ expect }) => {
    expect(
      failure('{"n": 1, "s": null}', SCHEMA, { ...READING, allowNoneWithDefault: true }),
    ).toBeUndefined();
  });

  it("checks formats only where that is asked for", ({ expect }) => {
    const schema = { properties: { day: { type: "string", format: "date", default: "" } } };
    expect(failure('{"day": "x"}', schema)).toBeUndefined();
    const text = stringifyJson(schema);
    expect(validator.firstFlaw(text, { day: "x" }, { ...READING, checksFormats: true })).toBe(
      "'x' is not a 'date'",
    );
  });

  it("takes a block for what its type says or for a reference to it", ({ expect }) => {
    const schema = {
      properties: { block: { $ref: "#/definitions/Bucket" } },
      definitions: {
        Bucket: {
          title: "Bucket",
          type: "object",
          properties: { name: { type: "string" } },
          required: ["name"],
          block_type_slug: "bucket",
        },
      },
    };
    expect(failure('{"block": {"name": "b"}}', schema)).toBeUndefined();
    expect(failure('{"block": {"$ref": {"block_document_id": "x"}}}', schema)).toBeUndefined();
    expect(failure('{"block": 3}', schema)).toContain("3 is not valid under any of the given schemas");
  });

  it("knows patterns of Python's", ({ expect }) => {
    const schema = {
      properties: { id: { type: "string", pattern: String.raw`\A(?P<kind>[a-z]+)-\d+\Z`, default: "" } },
    };
    expect(failure('{"id": "ab-12"}', schema)).toBeUndefined();
    expect(failure('{"id": "AB"}', schema)).toContain(
      String.raw`'AB' does not match '\\A(?P<kind>[a-z]+)-\\d+\\Z'`,
    );
  });

  it("fails for a reference to nowhere where a value reaches it", ({ expect }) => {
    const schema = {
      properties: { a: { $ref: "#/definitions/No" }, b: { $ref: "https://example.test/schema" } },
    };
    expect(failure('{"c": 1}', schema)).toBeUndefined();
    expect(failure('{"a": 1}', schema)).toContain(
      "PointerToNowhere: '/definitions/No' does not exist within {",
    );
    expect(failure('{"b": 1}', schema)).toBe(
      "Validation failed. Failure reason: Unresolvable: https://example.test/schema",
    );
  });

  it("tells a schema without an end", ({ expect }) => {
    expect(() => failure("{}", { $ref: "#" })).toThrow(CircularSchemaError);
    expect(failure('{"a": {"a": 3}}', { type: "object", properties: { a: { $ref: "#" } } })).toBe(
      "Validation failed for field 'a.a'. Failure reason: 3 is not of type 'object'",
    );
  });
});

describe("a schema that is none", () => {
  it.for([
    [{ type: "objekt" }, "'objekt' is not valid under any of the given schemas"],
    [{ required: "x" }, "'x' is not of type 'array'"],
    [{ properties: { a: { items: [{}] } } }, "[{}] is not of type 'object', 'boolean'"],
    [{ type: "object", properties: {} }, undefined],
  ] as const)("%j", ([schema, message], { expect }) => {
    expect(validator.schemaFailure(schema as Json)).toBe(message);
  });
});
