import { describe, it } from "vitest";

import { searchedText } from "./search.ts";

describe("a text search of logs", () => {
  it.for([
    ["Error", { include: ["error"], exclude: [], required: [] }],
    ["error -debug !trace", { include: ["error"], exclude: ["debug", "trace"], required: [] }],
    ['"Connection timeout" +db', { include: ["connection timeout"], exclude: [], required: ["db"] }],
    ['-"say \\"no\\""', { include: [], exclude: ['say "no"'], required: [] }],
    ['open "end', { include: ["open", "end"], exclude: [], required: [] }],
    ["- a + b", { include: ["a", "b"], exclude: [], required: [] }],
    ["   ", { include: [], exclude: [], required: [] }],
  ] as const)("reads %s", ([query, expected], { expect }) => {
    expect(searchedText(query)).toEqual(expected);
  });
});
