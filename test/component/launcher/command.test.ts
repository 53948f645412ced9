import { execFileSync } from "node:child_process";
import { it } from "vitest";

import { splitCommand } from "../../../src/launcher/command.ts";

const PYTHON = `
import json, shlex, sys
def split(text):
    try:
        return shlex.split(text) or None
    except ValueError:
        return None
print(json.dumps([split(text) for text in json.load(sys.stdin)]))
`;

const HAND_PICKED = [
  "",
  "   ",
  "python -m prefect.engine",
  "/path with/bin -c 'import x; x.y()'",
  `sh -c "echo \\"a\\" 'b' $HOME"`,
  "a\\ b c",
  "a\\",
  "'a\\'",
  '"a\\',
  '"a\\n"',
  "'open",
  '"open',
  "''",
  '"" x',
  "a''b",
  "a # no comment",
  "a#b",
  "a;b|c&&d>e",
  "tab\tand\nline\r\nend",
  "a\\\nb",
  '"a\\\nb"',
  "\u00a0nbsp\u2003em",
  "ünï'cö'de 😀",
  "\f\v",
  "~/x $(y) `z` *",
];

/** Every text of up to five of these, so that all transitions of the state machine are met. */
function* combinations(alphabet: readonly string[], length: number): Generator<string> {
  yield "";
  if (length === 0) return;
  for (const rest of combinations(alphabet, length - 1)) {
    if (rest.length === length - 1) for (const char of alphabet) yield rest + char;
    else yield rest;
  }
}

it("splits a corpus as Python's shlex does", ({ expect }) => {
  const corpus = [...new Set([...HAND_PICKED, ...combinations(["a", " ", "'", '"', "\\", "\n"], 5)])];
  expect(corpus.length).toBeGreaterThan(7000);
  const expected = JSON.parse(
    execFileSync("python3", ["-c", PYTHON], { input: JSON.stringify(corpus), maxBuffer: 1 << 26 }).toString(),
  ) as (readonly string[] | null)[];
  const different = corpus.flatMap((text, index) => {
    const ours = split(text);
    return JSON.stringify(ours) === JSON.stringify(expected[index])
      ? []
      : [{ text, ours, python: expected[index] }];
  });
  expect(different).toEqual([]);
});

function split(text: string): readonly string[] | null {
  try {
    return splitCommand(text);
  } catch {
    return null;
  }
}
