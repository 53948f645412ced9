/** An element of an XML document: its children and its own text (without that of children). */
export interface XmlElement {
  /** Without namespace prefix. */
  readonly name: string;
  readonly children: readonly XmlElement[];
  readonly text: string;
}

interface OpenElement {
  readonly name: string;
  readonly children: OpenElement[];
  text: string;
}

// In this order: comment, CDATA, processing instruction, end tag, start tag (maybe empty), text. Every branch is linear.
const TOKEN =
  /<!--[^]*?-->|<!\[CDATA\[([^]*?)\]\]>|<\?[^]*?\?>|<\/([^\s>]+)\s*>|<([^\s/>!?]+)((?:[^>"']|"[^"]*"|'[^']*')*)>|([^<]+)/y;

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };
const MAX_DEPTH = 32;

/**
 * Reads the XML that S3 and STS answer with. Knows no document types, so no entities but the five predefined ones and
 * character numbers; returns undefined for anything that is not well-formed.
 */
export function parseXml(document: string): XmlElement | undefined {
  const root: OpenElement = { name: "", children: [], text: "" };
  const open = [root];
  TOKEN.lastIndex = document.charCodeAt(0) === 0xfeff ? 1 : 0;
  while (TOKEN.lastIndex < document.length) {
    const current = open.at(-1);
    const token = TOKEN.exec(document);
    if (token === null || current === undefined) return undefined;
    const [, cdata, endTag, startTag, attributes, text] = token;
    if (text !== undefined) {
      const decoded = text.includes("&") ? decodeEntities(text) : text;
      if (decoded === undefined) return undefined;
      current.text += decoded;
    } else if (startTag !== undefined) {
      const element: OpenElement = { name: localName(startTag), children: [], text: "" };
      current.children.push(element);
      if (attributes?.endsWith("/") !== true) open.push(element);
      if (open.length > MAX_DEPTH) return undefined;
    } else if (endTag !== undefined) {
      if (open.length === 1 || current.name !== localName(endTag)) return undefined;
      open.pop();
    } else if (cdata !== undefined) {
      current.text += cdata;
    }
  }
  return open.length === 1 && root.children.length === 1 ? root.children[0] : undefined;
}

/** Text of the first child of that name. */
export function childText(element: XmlElement | undefined, name: string): string | undefined {
  return element?.children.find((child) => child.name === name)?.text;
}

function localName(name: string): string {
  return name.slice(name.indexOf(":") + 1);
}

function decodeEntities(text: string): string | undefined {
  let isSound = true;
  const decoded = text.replaceAll(
    /&(?:#x([0-9a-fA-F]{1,6})|#([0-9]{1,7})|(\w{1,8}));|&/g,
    (_, hex, decimal, name) => {
      const character = name === undefined ? characterOf(hex, decimal) : ENTITIES[name as string];
      isSound &&= character !== undefined;
      return character ?? "";
    },
  );
  return isSound ? decoded : undefined;
}

function characterOf(hex: string | undefined, decimal: string | undefined): string | undefined {
  if (hex === undefined && decimal === undefined) return undefined;
  const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
  return code <= 0x10_ff_ff ? String.fromCodePoint(code) : undefined;
}
