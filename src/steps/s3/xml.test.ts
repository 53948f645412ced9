import { describe, it } from "vitest";

import { childText, parseXml } from "./xml.ts";

describe("parseXml", () => {
  it("reads elements, entities, character data and attributes", ({ expect }) => {
    const root = parseXml(
      `\uFEFF<?xml version="1.0"?>\n<!-- a > b --><s3:R xmlns:s3="x>y" a='/'><Key>a&lt;b&amp;amp;&#x1F600;&#39;</Key>` +
        `<Empty/><Empty a="/" /><C><![CDATA[<&x]]></C>\n</s3:R>\n`,
    );
    expect(root?.name).toBe("R");
    expect(childText(root, "Key")).toBe("a<b&amp;😀'");
    expect(childText(root, "C")).toBe("<&x");
    expect(root?.children.map(({ name }) => name)).toEqual(["Key", "Empty", "Empty", "C"]);
    expect(childText(root, "Nothing")).toBeUndefined();
  });

  it.for([
    ["nothing", ""],
    ["a page", "<html><body><p>hello</body></html>"],
    ["plain text", "upstream connect error"],
    ["a document type", `<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>`],
    ["an unknown entity", "<x>&a;</x>"],
    ["a bare ampersand", "<x>a & b</x>"],
    ["a character beyond Unicode", "<x>&#x110000;</x>"],
    ["a cut-off answer", "<x><y>1</y>"],
    ["crossed tags", "<x><y></x></y>"],
    ["two roots", "<x/><y/>"],
    ["an end without a start", "</x>"],
    ["endless depth", "<x>".repeat(10_000)],
  ])("refuses %s", ([, document], { expect }) => {
    expect(parseXml(document ?? "")).toBeUndefined();
  });

  it("takes no longer than its input is long", ({ expect }) => {
    const started = performance.now();
    for (const piece of ["<a ", "<a b='", "&amp", "<!--", "<![CDATA[", "<?x "])
      parseXml(`<x>${piece.repeat(50_000)}`);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});
