import { describe, it } from "vitest";

import { entriesOf, keysOf, mergeObjects, objectOf } from "./object.ts";
import { parseJson } from "./parse.ts";
import { isPythonTruthy, pythonRepr, pythonStr } from "./python.ts";
import { stringifyJson } from "./stringify.ts";
import { Float, isJsonObject } from "./value.ts";

import type { Json, JsonObject } from "./value.ts";

function object(text: string): JsonObject {
  const value = parseJson(text);
  if (!isJsonObject(value)) throw new Error(`${text} is no mapping`);
  return value;
}

describe("parseJson", () => {
  it("keeps integral floats apart from integers, and integers whole", ({ expect }) => {
    expect(
      parseJson("[1, 1.0, 1e5, -0.0, 0.5, 12345678901234567890, 9007199254740991, 9007199254740993]"),
    ).toEqual([
      1,
      new Float(1),
      new Float(1e5),
      new Float(-0),
      0.5,
      12345678901234567890n,
      9007199254740991,
      9007199254740993n,
    ]);
    expect(parseJson(" 1.0 ")).toEqual(new Float(1));
    expect(parseJson("1E2")).toEqual(new Float(100));
  });

  it.for([
    ['{"at": "2026-01-01T00:00:45.000000+00:00", "n": 1.5}', false],
    ['{"id": "x:12345678901234567890"}', false],
    ['{"n":0.0}', true],
    ["[3.10]", false],
    ["[9007199254740993.5]", true],
    ["[100000.99999999999999999]", true],
    ["[0.99999999999999999999]", true],
  ] as const)("finds the floats in %s", ([text, isFloat], { expect }) => {
    expect(pythonRepr(parseJson(text)).includes(".0")).toBe(isFloat || text.includes(".000"));
  });

  it("gives the same as the built-in parser where nothing is lost", ({ expect }) => {
    const texts = [
      "null",
      '"a\\u0041\\n\\ud83d\\ude00"',
      '{"a":[1,2.5,{"b":null}],"c":"1.0"}',
      "[]",
      "{}",
      "[1e400]",
      "[[1.0],{}]",
    ];
    for (const text of texts) expect(JSON.parse(stringifyJson(parseJson(text)))).toEqual(JSON.parse(text));
  });

  it("refuses what is no JSON, on every way through", ({ expect }) => {
    for (const text of [
      "",
      "{",
      "[1,]",
      '{"a":1.0,}',
      "01",
      "[1.]",
      "{'a': 1.0}",
      '{"1": 2',
      "NaN",
      '{"1":1.0}x',
    ]) {
      expect(() => parseJson(text)).toThrow(SyntaxError);
    }
  });

  it("keeps keys made of digits in their place, also through merging and writing", ({ expect }) => {
    const text = '{"b":1,"10":2,"2":{"z":"\\"1\\": {","0":2.0},"a":3}';
    const read = object(text);
    expect(keysOf(read)).toEqual(["b", "10", "2", "a"]);
    expect(stringifyJson(read)).toBe(text);
    expect(keysOf(mergeObjects(object('{"z":0,"3":0}'), read))).toEqual(["z", "3", "b", "10", "2", "a"]);
    expect(pythonStr(read)).toBe(`{'b': 1, '10': 2, '2': {'z': '"1": {', '0': 2.0}, 'a': 3}`);
  });

  it("takes the last of two values of one key, in the first one's place", ({ expect }) => {
    expect(stringifyJson(parseJson('{"a":1.0,"b":2,"a":3}'))).toBe('{"a":3,"b":2}');
    expect(stringifyJson(parseJson('{"1":1,"b":2,"1":3}'))).toBe('{"1":3,"b":2}');
  });

  it.for([
    '{"__proto__":{"polluted":1}}',
    '{"__proto__":{"polluted":1.0}}',
    '{"__proto__":{"polluted":1},"1":0}',
  ])("takes %s for an ordinary key", (text, { expect }) => {
    const read = object(text);
    expect(keysOf(read)).toContain("__proto__");
    expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect(stringifyJson(read)).toBe(text);
    expect(stringifyJson(mergeObjects({}, read))).toBe(text);
  });

  it("reads 3 MB with keys and floats that need care in linear time", ({ expect }) => {
    const text = `{"1":1.0,"s":"${'\\"1\\": '.repeat(400_000)}","t":"${" ".repeat(200_000)}"}`;
    const started = performance.now();
    expect(stringifyJson(parseJson(text))).toBe(text);
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});

describe("stringifyJson", () => {
  it("writes floats with their point and big integers in full", ({ expect }) => {
    const value: Json = {
      a: new Float(1),
      b: 2n ** 64n,
      c: [new Float(1e21), new Float(-0), Infinity, NaN],
      d: "\ud800é\n",
    };
    expect(stringifyJson(value)).toBe(
      '{"a":1.0,"b":18446744073709551616,"c":[1e+21,-0.0,1e999,null],"d":"\\ud800é\\n"}',
    );
    expect(stringifyJson({})).toBe("{}");
  });

  it("indents like JSON.stringify", ({ expect }) => {
    const value: Json = { a: [1, { b: [] }], c: {}, d: "x" };
    expect(stringifyJson(value, 2)).toBe(JSON.stringify(value, null, 2));
    expect(stringifyJson(value)).toBe(JSON.stringify(value));
  });
});

describe("pythonStr", () => {
  it.for(
    (
      [
        ["text's", "text's"],
        [null, "None"],
        [true, "True"],
        [false, "False"],
        [5, "5"],
        [2n ** 64n, "18446744073709551616"],
        [1e21, "1000000000000000000000"],
        [new Float(1), "1.0"],
        [new Float(1e15), "1000000000000000.0"],
        [new Float(1e16), "1e+16"],
        [1e-4, "0.0001"],
        [1e-5, "1e-05"],
        [1.5e-7, "1.5e-07"],
        [new Float(1e100), "1e+100"],
        [Infinity, "inf"],
        [new Float(-0), "-0.0"],
        [-0, "0"],
        [[], "[]"],
        [{}, "{}"],
        [[1, "a", null, { k: [true] }], "[1, 'a', None, {'k': [True]}]"],
        [["it's"], `["it's"]`],
        [['it\'s "so"'], `['it\\'s "so"']`],
        [['"'], `['"']`],
        [
          ["\\\n\t\r\0\u007f\u00a0\u200b\u2028😀\ud800é"],
          "['\\\\\\n\\t\\r\\x00\\x7f\\xa0\\u200b\\u2028😀\\ud800é']",
        ],
        [["\u{e0001}"], "['\\U000e0001']"],
      ] as [Json, string][]
    ).map(([value, expected]): [string, Json] => [expected, value]),
  )("writes %s as Python does", ([expected, value], { expect }) => {
    expect(pythonStr(value)).toBe(expected);
  });
});

it("takes for empty what Python does", ({ expect }) => {
  for (const value of [undefined, null, false, 0, 0n, new Float(0), "", [], {}])
    expect(isPythonTruthy(value)).toBe(false);
  for (const value of [true, 1, 1n, new Float(0.5), "0", [null], { a: null }])
    expect(isPythonTruthy(value)).toBe(true);
});

it("rebuilds an object from its entries", ({ expect }) => {
  const read = object('{"b":1,"0":2}');
  expect(entriesOf(objectOf(entriesOf(read)))).toEqual([
    ["b", 1],
    ["0", 2],
  ]);
});
