/** A piece of a line. */
export type Inline =
  | { readonly kind: "text" | "code" | "strong" | "emphasis"; readonly text: string }
  | { readonly kind: "link"; readonly text: string; readonly href: string };

export type Block =
  | { readonly kind: "heading"; readonly level: number; readonly line: readonly Inline[] }
  | { readonly kind: "paragraph"; readonly line: readonly Inline[] }
  | { readonly kind: "quote"; readonly line: readonly Inline[] }
  | { readonly kind: "code"; readonly text: string }
  | { readonly kind: "rule" }
  | { readonly kind: "list"; readonly isOrdered: boolean; readonly items: readonly (readonly Inline[])[] }
  | {
      readonly kind: "table";
      readonly head: readonly (readonly Inline[])[];
      readonly rows: readonly (readonly (readonly Inline[])[])[];
    };

/**
 * Reads the part of Markdown that reports are written in: headings, paragraphs, lists, quotes, fenced code, rules, tables,
 * and within lines code, **strong**, *emphasis* and links. HTML stays text: a flow's artifact must not be able to run anything
 * in the reader's browser, so nothing here ever becomes markup, and links only lead to web addresses.
 */
export function parseMarkdown(text: string): Block[] {
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  const blocks: Block[] = [];
  let at = 0;
  while (at < lines.length) {
    const taken = takeBlock(lines, at);
    if (taken.block !== undefined) blocks.push(taken.block);
    at = taken.next;
  }
  return blocks;
}

interface Taken {
  readonly block?: Block;
  readonly next: number;
}

const LIST_ITEM = /^\s*(?:[-*+]|(\d+)[.)])\s+(.*)$/;
const TABLE_RULE = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;

function takeBlock(lines: readonly string[], at: number): Taken {
  const line = lines[at] ?? "";
  if (line.trim() === "") return { next: at + 1 };
  const heading = /^(#{1,6})\s+(.*?)\s*#*$/.exec(line);
  if (heading !== null) {
    const [, marks = "", title = ""] = heading;
    return { block: { kind: "heading", level: marks.length, line: parseLine(title) }, next: at + 1 };
  }
  if (/^\s*(```|~~~)/.test(line)) return takeCode(lines, at);
  if (/^\s*([-*_])\s*(\1\s*){2,}$/.test(line)) return { block: { kind: "rule" }, next: at + 1 };
  if (line.includes("|") && TABLE_RULE.test(lines[at + 1] ?? "")) return takeTable(lines, at);
  if (LIST_ITEM.test(line)) return takeList(lines, at);
  if (/^\s*>/.test(line)) {
    const { texts, next } = takeWhile(lines, at, (candidate) => /^\s*>/.test(candidate));
    const joined = texts.map((quoted) => quoted.replace(/^\s*>\s?/, "")).join(" ");
    return { block: { kind: "quote", line: parseLine(joined) }, next };
  }
  const { texts, next } = takeWhile(
    lines,
    at,
    (candidate, index) =>
      index === at ||
      (candidate.trim() !== "" && !/^\s*(#{1,6}\s|```|~~~|>)/.test(candidate) && !LIST_ITEM.test(candidate)),
  );
  return { block: { kind: "paragraph", line: parseLine(texts.join(" ")) }, next };
}

function takeCode(lines: readonly string[], at: number): Taken {
  const fence = (lines[at] ?? "").trim().slice(0, 3);
  const { texts, next } = takeWhile(lines, at + 1, (line) => !line.trim().startsWith(fence));
  return { block: { kind: "code", text: texts.join("\n") }, next: next + 1 };
}

function takeList(lines: readonly string[], at: number): Taken {
  const { texts, next } = takeWhile(lines, at, (line) => LIST_ITEM.test(line));
  const items = texts.map((line) => parseLine(LIST_ITEM.exec(line)?.[2] ?? ""));
  return {
    block: { kind: "list", isOrdered: LIST_ITEM.exec(texts[0] ?? "")?.[1] !== undefined, items },
    next,
  };
}

function takeTable(lines: readonly string[], at: number): Taken {
  const { texts, next } = takeWhile(lines, at + 2, (line) => line.includes("|"));
  return {
    block: { kind: "table", head: cellsOf(lines[at] ?? ""), rows: texts.map((line) => cellsOf(line)) },
    next,
  };
}

function cellsOf(line: string): Inline[][] {
  const inner = line.trim().replace(/^\|/, "").replace(/\|$/, "");
  return inner.split("|").map((cell) => parseLine(cell.trim()));
}

function takeWhile(
  lines: readonly string[],
  from: number,
  isPart: (line: string, index: number) => boolean,
): { readonly texts: readonly string[]; readonly next: number } {
  let next = from;
  while (next < lines.length && isPart(lines[next] ?? "", next)) next += 1;
  return { texts: lines.slice(from, next), next };
}

const INLINE = /`([^`]+)`|\*\*([^*]+)\*\*|__([^_]+)__|\*([^*\s][^*]*)\*|\[([^\]]*)\]\(([^)\s]+)\)/g;

function parseLine(text: string): Inline[] {
  const line: Inline[] = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    if (match.index > end) line.push({ kind: "text", text: text.slice(end, match.index) });
    line.push(inlineOf(match));
    end = match.index + match[0].length;
  }
  if (end < text.length) line.push({ kind: "text", text: text.slice(end) });
  return line;
}

function inlineOf([whole, code, strong, strongToo, emphasis, label, target]: RegExpExecArray): Inline {
  if (code !== undefined) return { kind: "code", text: code };
  if (strong !== undefined || strongToo !== undefined)
    return { kind: "strong", text: strong ?? strongToo ?? "" };
  if (emphasis !== undefined) return { kind: "emphasis", text: emphasis };
  const href = safeHref(target ?? "");
  return href === undefined
    ? { kind: "text", text: whole }
    : { kind: "link", text: label === "" ? href : (label ?? href), href };
}

/** The address if it leads to a web page or writes a mail; undefined for anything that could run or read something. */
export function safeHref(target: string): string | undefined {
  try {
    const { protocol, href } = new URL(target);
    return /^(https?|mailto):$/.test(protocol) ? href : undefined;
  } catch {
    return undefined;
  }
}
