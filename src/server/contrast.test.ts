import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

const tokens = readFileSync(new URL("page/style/tokens.css", import.meta.url), "utf8");
const COLOURS = new Map(
  [...tokens.matchAll(/--([\w-]+):\s*light-dark\((#[0-9a-f]{6}),\s*(#[0-9a-f]{6})\)/g)].map(
    ([, name = "", light = "", dark = ""]) => [name, { light, dark }],
  ),
);

const TEXT = 4.5;
const PICTURE = 3;

/** What is read, and the grounds it is read on (WCAG 2.2, 1.4.3); what is only looked at, and the grounds (1.4.11). */
const PAIRS: readonly (readonly [over: readonly string[], under: readonly string[], ratio: number])[] = [
  [["text", "muted"], ["ground", "surface", "raised"], TEXT],
  [["link"], ["ground", "surface"], TEXT],
  [["text"], ["mark"], TEXT],
  [["on-accent"], ["accent"], TEXT],
  [["on-danger"], ["danger"], TEXT],
  [["focus", "line-strong"], ["ground", "surface"], PICTURE],
  [
    [
      "scheduled",
      "late",
      "pending",
      "pulling",
      "running",
      "completed",
      "failed",
      "crashed",
      "cancelled",
      "paused",
      "cancelling",
    ],
    ["surface"],
    PICTURE,
  ],
];

const CASES = (["light", "dark"] as const).flatMap((scheme) =>
  PAIRS.flatMap(([overs, unders, ratio]) =>
    overs.flatMap((over) => unders.map((under) => ({ scheme, over, under, ratio }))),
  ),
);

describe("contrast", () => {
  test("every colour of the tokens is looked at", () => {
    const seen = new Set(PAIRS.flatMap(([over, under]) => [...over, ...under]));
    // Lines between rows carry no meaning.
    expect([...COLOURS.keys()].filter((name) => !seen.has(name))).toEqual(["line"]);
  });

  test.for(CASES)("$over on $under, $scheme", ({ scheme, over, under, ratio }) => {
    expect(contrast(colour(over, scheme), colour(under, scheme))).toBeGreaterThanOrEqual(ratio);
  });
});

function colour(name: string, scheme: "light" | "dark"): string {
  return COLOURS.get(name)?.[scheme] ?? "";
}

function contrast(a: string, b: string): number {
  const [light = 0, dark = 0] = [luminance(a), luminance(b)].toSorted((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}

/** Relative luminance of sRGB (WCAG 2.2). */
function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
