import { describe, expect, test } from "vitest";

import { parseMarkdown, safeHref } from "./markdown.ts";

describe("parseMarkdown", () => {
  test("reads what reports are made of", () => {
    const text = [
      "# Sales *2026* #",
      "",
      "First line",
      "goes on with `code` and **strong**.",
      "- one",
      "- two [site](https://example.org/a)",
      "1. first",
      "",
      "> said",
      "> somebody",
      "---",
      "```py",
      "# no heading",
      "```",
      "| a | b |",
      "|---|:-:|",
      "| 1 | **2** |",
    ].join("\n");
    expect(parseMarkdown(text)).toEqual([
      {
        kind: "heading",
        level: 1,
        line: [
          { kind: "text", text: "Sales " },
          { kind: "emphasis", text: "2026" },
        ],
      },
      {
        kind: "paragraph",
        line: [
          { kind: "text", text: "First line goes on with " },
          { kind: "code", text: "code" },
          { kind: "text", text: " and " },
          { kind: "strong", text: "strong" },
          { kind: "text", text: "." },
        ],
      },
      {
        kind: "list",
        isOrdered: false,
        items: [
          [{ kind: "text", text: "one" }],
          [
            { kind: "text", text: "two " },
            { kind: "link", text: "site", href: "https://example.org/a" },
          ],
          [{ kind: "text", text: "first" }],
        ],
      },
      { kind: "quote", line: [{ kind: "text", text: "said somebody" }] },
      { kind: "rule" },
      { kind: "code", text: "# no heading" },
      {
        kind: "table",
        head: [[{ kind: "text", text: "a" }], [{ kind: "text", text: "b" }]],
        rows: [[[{ kind: "text", text: "1" }], [{ kind: "strong", text: "2" }]]],
      },
    ]);
  });

  test("HTML and odd links stay text", () => {
    expect(parseMarkdown("<img src=x onerror=alert(1)> [x](javascript:alert)")).toEqual([
      {
        kind: "paragraph",
        line: [
          { kind: "text", text: "<img src=x onerror=alert(1)> " },
          { kind: "text", text: "[x](javascript:alert)" },
        ],
      },
    ]);
  });

  test("a fence that is never closed ends with the text", () => {
    expect(parseMarkdown("```\na\nb")).toEqual([{ kind: "code", text: "a\nb" }]);
    expect(parseMarkdown("")).toEqual([]);
  });
});

test.for([
  ["https://example.org", "https://example.org/"],
  ["mailto:a@example.org", "mailto:a@example.org"],
  ["javascript:alert(1)", undefined],
  ["JAVASCRIPT:alert(1)", undefined],
  ["data:text/html,x", undefined],
  ["file:///etc/passwd", undefined],
  ["/relative", undefined],
] as const)("safeHref(%s) is %s", ([target, href]) => {
  expect(safeHref(target)).toBe(href);
});
