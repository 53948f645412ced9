import { describe, it } from "vitest";

import * as types from "./value-types.ts";

import type { ValueType } from "./value-types.ts";

const place = { baseDir: "/base", homeDir: "/home/me" };

const cases: readonly {
  type: string;
  of: ValueType<unknown>;
  good: readonly [unknown, unknown][];
  bad: readonly unknown[];
}[] = [
  {
    type: "boolean",
    of: types.boolean,
    good: [
      ["true", true],
      ["YES", true],
      ["On", true],
      ["t", true],
      ["1", true],
      [1, true],
      [true, true],
      ["n", false],
      ["off", false],
      [0, false],
    ],
    bad: ["", " yes ", "maybe", 2, null, [true], {}],
  },
  {
    type: "seconds",
    of: types.seconds({ min: 0 }),
    good: [
      ["10", 10_000],
      [" 0.5 ", 500],
      ["1_0e1", 100_000],
      [".25", 250],
      ["5.", 5000],
      [3, 3000],
      [7n, 7000],
      [0.0015, 2],
    ],
    bad: ["", "10s", "inf", "nan", "-1", "1__0", "0x10", true, null, [1]],
  },
  {
    type: "duration",
    of: types.duration({ above: 0 }),
    good: [
      ["10", 10_000],
      [10, 10_000],
      ["10s", 10_000],
      ["500ms", 500],
      ["5m", 300_000],
      ["1.5 h", 5_400_000],
      ["1D", 86_400_000],
    ],
    bad: ["", "0", "0s", "soon", "5 weeks", "s", "-5s", true],
  },
  {
    type: "integer",
    of: types.integer({ min: 1, max: 9 }),
    good: [
      ["5", 5],
      ["5.0", 5],
      [9, 9],
    ],
    bad: ["5.5", "0", "10", "", "five", true],
  },
  {
    type: "url",
    of: types.url,
    good: [
      ["http://a:4200/api/", "http://a:4200/api"],
      ["https://a", "https://a"],
      ["", undefined],
    ],
    bad: ["localhost:4200", "ftp://a", "http://", "http:///api", 5, true],
  },
  {
    type: "status codes",
    of: types.statusCodes,
    good: [
      ["500, 504", [500, 504]],
      ["[500,504]", [500, 504]],
      ["429", [429]],
      [429, [429]],
      [[500, 500], [500]],
      ["", []],
    ],
    bad: ["500,", "99", "600", "abc", [["500"]], {}],
  },
  {
    type: "headers",
    of: types.headers,
    good: [
      ['{"a":"b"}', { a: "b" }],
      ['"{\\"a\\":\\"b\\"}"', { a: "b" }],
      ["null", {}],
      [{ a: "b" }, { a: "b" }],
    ],
    bad: ["", "a=b", '{"a":1}', "[]", { a: 1 }, ["a"]],
  },
  {
    type: "path",
    of: types.filePath,
    good: [
      ["~", "/home/me"],
      ["~/x", "/home/me/x"],
      ["~x", "/base/~x"],
      ["x/../y", "/base/y"],
      ["/z", "/z"],
      ["", undefined],
    ],
    bad: [1, true],
  },
  {
    type: "program",
    of: types.program,
    good: [
      ["python3.12", "python3.12"],
      ["./python", "/base/python"],
      ["~/venv/bin/python", "/home/me/venv/bin/python"],
    ],
    bad: [3],
  },
  {
    type: "object name",
    of: types.objectName,
    good: [["my pool", "my pool"]],
    bad: ["a/b", "50%", 5],
  },
  {
    type: "names",
    of: types.textList,
    good: [
      ["a, b,,c", ["a", "b", "c"]],
      [["a,b"], ["a,b"]],
      ["", []],
    ],
    bad: [[1], 1, {}],
  },
  {
    type: "cron line",
    of: types.cronLine,
    good: [
      ["17  * * * *", "17 * * * *"],
      ["*/5 0 1-5,7 * MON *", "*/5 0 1-5,7 * MON *"],
      ["off", "off"],
      [false, "off"],
    ],
    bad: ["hourly", "* * * *", "* * * * * * *", 5],
  },
];

describe("value types", () => {
  it.for(cases)("$type", ({ of, good, bad }, { expect }) => {
    for (const [raw, value] of good)
      expect(of.parse(raw, place), JSON.stringify(String(raw))).toEqual({ value });
    for (const raw of bad) expect(of.parse(raw, place), JSON.stringify(String(raw))).toBeUndefined();
  });
});
