import { it } from "vitest";

import { LineSplitter } from "./line-splitter.ts";

function split(bytes: Buffer, size: number, maxLength?: number): string[] {
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(line), maxLength);
  for (let at = 0; at < bytes.length; at += size) splitter.write(bytes.subarray(at, at + size));
  splitter.end();
  return lines;
}

it("gives the same lines however the bytes are cut", ({ expect }) => {
  const bytes = Buffer.concat([
    Buffer.from("plain\nwindows\r\n\näöü 😀 日本\nbad "),
    Buffer.from([0xff, 0xfe, 0xf0, 0x9f]),
    Buffer.from("\nlast ü"),
    Buffer.from([0xc3]),
  ]);
  const expected = ["plain", "windows", "", "äöü 😀 日本", "bad \uFFFD\uFFFD\uFFFD", "last ü\uFFFD"];
  for (let size = 1; size <= bytes.length; size += 1) expect(split(bytes, size), `${size}`).toEqual(expected);
});

it("cuts long lines and goes on with the next", ({ expect }) => {
  const bytes = Buffer.from(`${"x".repeat(30)}\n1234567890\n1234567890\r\n12345678901\n${"y".repeat(50)}`);
  for (const size of [1, 7, 1000]) {
    expect(split(bytes, size, 10)).toEqual([
      "xxxxxxxxxx… [line cut]",
      "1234567890",
      "1234567890",
      "1234567890… [line cut]",
      "yyyyyyyyyy… [line cut]",
    ]);
  }
});

it("delivers nothing for no output, and no empty last line", ({ expect }) => {
  expect(split(Buffer.from(""), 1)).toEqual([]);
  expect(split(Buffer.from("a\n"), 1)).toEqual(["a"]);
});
