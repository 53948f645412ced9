import { describe, it } from "vitest";

import { TerminalEntries } from "./terminal-entries.ts";

const AT = "2026-01-02T03:04:05.000000006Z ";
const LATER = "2026-01-02T03:04:06Z ";
const PIECE = "ß".repeat(8192); // 16 KiB
const SIZES = [1, 7, 1000, 16_384, 1 << 20];

/** The entries of an output that comes in chunks of that size. */
function entriesOf(output: Buffer | string, size: number): readonly string[] {
  const entries: string[] = [];
  const decoder = new TerminalEntries((bytes) => entries.push(bytes.toString("latin1")));
  const bytes = Buffer.from(output);
  for (let at = 0; at < bytes.length; at += size) decoder.write(bytes.subarray(at, at + size));
  decoder.end();
  return entries.map((entry) => Buffer.from(entry, "latin1").toString());
}

describe.for(SIZES)("TerminalEntries, in chunks of %d bytes", (size) => {
  it("takes lines and a last one without its end", ({ expect }) => {
    const entries = [`${AT}one\r\n`, `${AT}\r\n`, `${LATER}2026-01-02T03:04:05Z is no end\r\n`, `${LATER}> `];
    expect(entriesOf(entries.join(""), size)).toEqual(entries);
  });

  it("parts the pieces of a long line, whose times stand in its middle", ({ expect }) => {
    const entries = [AT + PIECE, AT + PIECE, `${AT}end\r\n`, `${LATER}next\r\n`];
    expect(entriesOf(entries.join(""), size)).toEqual(entries);
  });

  it.for(["\n", "", "x"])(
    "knows a piece by its size, also where %j is all that follows",
    (rest, { expect }) => {
      const entries = [AT + PIECE, `${LATER}${rest}`];
      expect(entriesOf(entries.join(""), size)).toEqual(entries);
      expect(entriesOf(AT + PIECE + rest, size)).toEqual([AT + PIECE + rest]);
    },
  );

  it("keeps lines whole that another engine has not parted", ({ expect }) => {
    const entries = [`${AT}${PIECE}${PIECE}${LATER.slice(0, -5)}\n`, `${LATER}next\n`];
    expect(entriesOf(entries.join(""), size)).toEqual(entries);
  });
});

it("no output takes more than a mebibyte of memory, and nothing of it is lost", ({ expect }) => {
  const text = Buffer.from(Array.from({ length: 3 << 20 }, (_, at) => 97 + (at % 26)));
  const sizes: number[] = [];
  const texts: Buffer[] = [];
  const decoder = new TerminalEntries((bytes) => {
    sizes.push(bytes.length);
    expect(bytes.toString("latin1", 0, AT.length)).toBe(AT);
    texts.push(Buffer.from(bytes.subarray(AT.length)));
  });
  decoder.write(Buffer.from(AT));
  for (let at = 0; at < text.length; at += 1000) decoder.write(text.subarray(at, at + 1000));
  decoder.write(Buffer.from("\n"));
  decoder.end();
  expect(Math.max(...sizes)).toBe(1 << 20);
  expect(Buffer.concat(texts).equals(Buffer.concat([text, Buffer.from("\n")]))).toBe(true);
});
