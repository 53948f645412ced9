import { describe, expect, test } from "vitest";

import { fieldsOf, firstValues, parametersOf } from "./parameter-fields.ts";

const SCHEMA = {
  title: "Parameters",
  type: "object",
  properties: {
    note: { anyOf: [{ type: "string" }, { type: "null" }], title: "note", default: null, position: 4 },
    name: { type: "string", title: "name", position: 0 },
    count: { type: "integer", title: "count", default: 3, position: 1, description: "how often" },
    ratio: { type: "number", title: "ratio", default: 0.5, position: 2 },
    dry: { type: "boolean", title: "dry", default: false, position: 3 },
    colour: { allOf: [{ $ref: "#/definitions/Colour" }], default: "red", title: "colour", position: 5 },
    rows: { type: "array", items: {}, title: "rows", position: 6 },
    either: { anyOf: [{ type: "string" }, { type: "integer" }], title: "either", position: 7 },
  },
  required: ["name", "rows"],
  definitions: { Colour: { enum: ["red", "blue"], title: "Colour", type: "string" } },
} as const;

const fields = fieldsOf(SCHEMA);

describe("fieldsOf", () => {
  test("is in the order of the flow's parameters, each of its kind", () => {
    expect(fields.map(({ name, kind }) => `${name}:${kind}`)).toEqual([
      "name:text",
      "count:integer",
      "ratio:number",
      "dry:boolean",
      "note:text",
      "colour:choice",
      "rows:json",
      "either:json",
    ]);
    expect(fields[0]).toMatchObject({ isRequired: true, isNullable: false });
    expect(fields[1]).toMatchObject({ description: "how often", fallback: 3 });
    expect(fields[4]).toMatchObject({ isNullable: true });
    expect(fields[5]).toMatchObject({ choices: ["red", "blue"] });
  });

  test("is empty without a schema", () => {
    expect(fieldsOf(null)).toEqual([]);
    expect(fieldsOf({ type: "object", properties: {} })).toEqual([]);
  });

  test("a reference that leads round in a circle ends", () => {
    const schema = {
      properties: { a: { $ref: "#/definitions/A" } },
      definitions: { A: { $ref: "#/definitions/A" } },
    };
    expect(fieldsOf(schema)[0]?.kind).toBe("json");
  });
});

describe("the values of the fields", () => {
  test("begin with what is given, then with the defaults", () => {
    expect(firstValues(fields, { name: "Ada", count: 7, rows: [1] })).toEqual({
      name: "Ada",
      count: "7",
      ratio: "0.5",
      dry: "false",
      note: "",
      colour: '"red"',
      rows: "[\n  1\n]",
      either: "",
    });
  });

  test("become parameters of the right types; what is empty is left out, or null where it may be", () => {
    const values = {
      name: "Ada",
      count: "7",
      ratio: "1e3",
      dry: "true",
      note: "",
      colour: '"blue"',
      rows: "[1]",
    };
    expect(parametersOf(fields, values)).toEqual({
      parameters: { name: "Ada", count: 7, ratio: 1000, dry: true, note: null, colour: "blue", rows: [1] },
    });
  });

  test("say what is wrong with them", () => {
    const values = {
      name: "",
      count: "1.5",
      ratio: "x",
      dry: "yes",
      colour: '"green"',
      rows: "",
      either: "Ada",
    };
    const { problems } = parametersOf(fields, values);
    expect(Object.keys(problems ?? {})).toEqual(["count", "ratio", "dry", "colour", "rows", "either"]);
  });
});
