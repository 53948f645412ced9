import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from "yaml";

import { objectOf } from "../json/object.ts";
import { pythonStr } from "../json/python.ts";
import { pathText, ProjectError } from "./problem.ts";
import { readFloat, readInteger, readPlainScalar } from "./yaml-scalars.ts";

import type { Alias, Document, Node, Pair, Scalar, YAMLMap, YAMLSeq } from "yaml";

import type { Json } from "../json/value.ts";
import type { Position, Problem } from "./problem.ts";

export type Path = readonly (string | number)[];

/** A YAML file as data, and where each part of it stands. */
export interface YamlSource {
  /** The file as the user named it. */
  readonly file: string;
  readonly value: Json;
  /** Things that YAML allows but nobody means, such as a key that stands twice. */
  readonly warnings: readonly Problem[];
  /** The document itself, for changes that keep comments and order. */
  readonly document: Document;
  /** Where the value of a path stands, through aliases and merges; the nearest place above it when it does not exist. */
  positionOf(path: Path): Position | undefined;
  /** The scalar at a path as it is written, without quotes; undefined when there is none. */
  textOf(path: Path): string | undefined;
  /** True for a date or time without quotes, which the value holds as ISO text. */
  isDate(path: Path): boolean;
}

const MAX_BYTES = 4 * 1024 * 1024;
const MAX_NODES = 1_000_000;
const MERGE = "<<";
const PREFIX = "tag:yaml.org,2002:";

/**
 * Reads YAML as PyYAML's safe loader does, which is what prefect.yaml is written for: YAML 1.1 scalars, `<<` merges (also a list of
 * mappings, of which the first wins), aliases; of a key that stands twice the last value counts. Throws a ProjectError
 * with line and column for what is no YAML, not UTF-8, too large, or holds an alias of itself.
 */
export function parseYaml(bytes: Uint8Array, file: string): YamlSource {
  const text = decode(bytes, file);
  const lines = new LineCounter();
  const document = parseDocument(text, {
    schema: "failsafe",
    version: "1.1",
    uniqueKeys: false,
    strict: true,
    prettyErrors: false,
    lineCounter: lines,
    logLevel: "error",
  });
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const [error] = document.errors;
  if (error !== undefined) {
    const message = `this is no valid YAML: ${inWords(error.message, text, error.pos[0])}`;
    throw new ProjectError([{ file, position: at(error.pos[0]), path: "", message }]);
  }
  const reader = new NodeReader(document, file, at);
  const value = reader.read(document.contents, []);
  const find = (path: Path): Node | undefined => findNode(document, path).node;
  return {
    file,
    value,
    warnings: reader.warnings,
    document,
    positionOf(path) {
      const { offset } = findNode(document, path);
      return offset === undefined ? undefined : at(offset);
    },
    textOf(path) {
      const node = find(path);
      return isScalar(node) ? node.source : undefined;
    },
    isDate(path) {
      const node = find(path);
      return isScalar(node) && reader.dates.has(node);
    },
  };
}

function decode(bytes: Uint8Array, file: string): string {
  const whole = (message: string): ProjectError => new ProjectError([{ file, path: "", message }]);
  if (bytes.byteLength > MAX_BYTES) {
    const size = (bytes.byteLength / 1024 / 1024).toFixed(1);
    throw whole(`the file is too large: ${size} MiB, at most ${MAX_BYTES / 1024 / 1024} MiB are read`);
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw whole("the file is not UTF-8 text; save it with the encoding UTF-8");
  }
  // oxlint-disable-next-line no-control-regex -- these are the characters that are looked for
  const control = /[\0-\x08\x0b\x0c\x0e-\x1f]/.exec(text);
  if (control !== null) {
    const before = text.slice(0, control.index).split("\n");
    const position = { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
    const code = control[0].charCodeAt(0).toString(16).padStart(2, "0");
    throw new ProjectError([
      { file, position, path: "", message: `the control character 0x${code} may not stand in YAML` },
    ]);
  }
  return text;
}

function inWords(message: string, text: string, offset: number): string {
  const lineStart = text.lastIndexOf("\n", offset - 1) + 1;
  const indent = /^\s*/.exec(text.slice(lineStart))?.[0] ?? "";
  if (indent.includes("\t")) return "the line is indented with a tab; use blanks";
  return message.replace(/\.$/, "");
}

/** Turns nodes into data. A node that several aliases name is read once. */
class NodeReader {
  readonly warnings: Problem[] = [];
  readonly dates = new WeakSet<Scalar>();
  readonly #document: Document;
  readonly #file: string;
  readonly #at: (offset: number) => Position;
  readonly #known = new Map<Node, { readonly value: Json; readonly size: number }>();
  readonly #open = new Set<Node>();
  #size = 0;

  constructor(document: Document, file: string, at: (offset: number) => Position) {
    this.#document = document;
    this.#file = file;
    this.#at = at;
  }

  read(node: unknown, path: Path): Json {
    if (node === null || node === undefined) return null;
    if (isAlias(node)) return this.#readAlias(node, path);
    if (isScalar(node)) return this.#readScalar(node, path);
    if (!isMap(node) && !isSeq(node)) throw this.#problem("this cannot be read", path);
    const known = this.#known.get(node);
    if (known !== undefined) {
      this.#count(known.size, node, path);
      return known.value;
    }
    if (this.#open.has(node)) {
      throw this.#problem("an alias stands within what it names; it would have no end", path, node);
    }
    this.#open.add(node);
    const before = this.#size;
    this.#count(1, node, path);
    this.#refuseTag(node, path);
    const value = isMap(node) ? this.#readMap(node, path) : this.#readSeq(node, path);
    this.#open.delete(node);
    this.#known.set(node, { value, size: this.#size - before });
    return value;
  }

  #readSeq(node: YAMLSeq, path: Path): Json {
    return node.items.map((item, index) => this.read(item, [...path, index]));
  }

  #readMap(node: YAMLMap, path: Path): Json {
    const own: [string, Json][] = [];
    const seen = new Set<string>();
    const merged: [string, Json][] = [];
    for (const pair of node.items) {
      if (isMerge(pair)) {
        merged.push(...this.#readMerge(pair, path));
        continue;
      }
      const key = this.#readKey(pair.key, path);
      if (seen.has(key)) {
        this.warnings.push(
          this.#issue(`'${key}' stands twice here; the last one counts`, [...path, key], pair.key as Node),
        );
      }
      seen.add(key);
      own.push([key, this.read(pair.value, [...path, key])]);
    }
    return objectOf([...merged.filter(([key]) => !seen.has(key)), ...own]);
  }

  /** Of several mappings the first wins, so it comes last. */
  #readMerge(pair: Pair, path: Path): [string, Json][] {
    const value = isAlias(pair.value) ? pair.value.resolve(this.#document) : pair.value;
    const sources = isSeq(value) ? value.items.toReversed() : [pair.value];
    return sources.flatMap((source) => {
      const read = this.read(source, [...path, MERGE]);
      if (typeof read === "object" && read !== null && !Array.isArray(read))
        return Object.entries(read) as [string, Json][];
      throw this.#problem(
        "'<<' takes an alias of a mapping, or a list of them",
        [...path, MERGE],
        source as Node,
      );
    });
  }

  #readKey(node: unknown, path: Path): string {
    const key = this.read(node, path);
    if (typeof key === "object" && key !== null) {
      throw this.#problem("a key must be a text", path, node as Node);
    }
    return typeof key === "string" ? key : key === null ? "null" : pythonStr(key);
  }

  #readAlias(node: Alias, path: Path): Json {
    const target = node.resolve(this.#document);
    if (target === undefined) throw this.#problem(`there is no anchor &${node.source}`, path, node);
    return this.read(target, path);
  }

  #readScalar(node: Scalar, path: Path): Json {
    this.#count(1, node, path);
    const content = typeof node.value === "string" ? node.value : "";
    const text = node.source ?? content;
    try {
      if (node.tag !== undefined && node.tag !== "!") return readTagged(node.tag, text);
      if (node.type !== "PLAIN" || node.tag === "!") return content;
      const { value, isDate } = readPlainScalar(text);
      if (isDate === true) this.dates.add(node);
      return value;
    } catch (thrown) {
      if (thrown instanceof RangeError) throw this.#problem(thrown.message, path, node);
      throw thrown;
    }
  }

  #refuseTag(node: YAMLMap | YAMLSeq, path: Path): void {
    const plain = isMap(node) ? `${PREFIX}map` : `${PREFIX}seq`;
    if (node.tag === undefined || node.tag === plain) return;
    throw this.#problem(`the tag ${node.tag} is not known; leave it out`, path, node);
  }

  #count(size: number, node: Node, path: Path): void {
    this.#size += size;
    if (this.#size > MAX_NODES)
      throw this.#problem("the aliases unfold to more than can be read", path, node);
  }

  #problem(message: string, path: Path, node?: Node): ProjectError {
    return new ProjectError([this.#issue(message, path, node)]);
  }

  #issue(message: string, path: Path, node?: Node): Problem {
    const offset = node?.range?.[0] ?? findNode(this.#document, path).offset;
    const position = offset === undefined ? undefined : this.#at(offset);
    return { file: this.#file, position, path: pathText(path), message };
  }
}

/** A scalar with a tag of its own: `!!str 5`. Throws a RangeError for tags that a safe loader does not know. */
function readTagged(tag: string, text: string): Json {
  switch (tag) {
    case `${PREFIX}str`:
      return text;
    case `${PREFIX}int`:
      return readInteger(text);
    case `${PREFIX}float`:
      return readFloat(text.includes(".") ? text : `${text}.0`);
    case `${PREFIX}bool`:
    case `${PREFIX}null`:
    case `${PREFIX}timestamp`:
      return readPlainScalar(text).value;
    default:
      throw new RangeError(`the tag ${tag} is not known; leave it out`);
  }
}

function isMerge({ key }: Pair): boolean {
  return isScalar(key) && key.type === "PLAIN" && key.source === MERGE;
}

/** The node of a path, or the place of the nearest one above it. */
function findNode(
  document: Document,
  path: Path,
): { readonly node?: Node; readonly offset: number | undefined } {
  let node: unknown = document.contents;
  let offset = document.contents?.range?.[0];
  for (const part of path) {
    const found = childOf(document, node, part);
    if (found === undefined) return { offset };
    node = found.value;
    offset = (isNodeWithRange(node) ? node.range?.[0] : undefined) ?? found.keyOffset ?? offset;
    if (isScalar(node) && node.source === "") offset = found.keyOffset ?? offset;
  }
  const resolved = isAlias(node) ? node.resolve(document) : node;
  return isNodeWithRange(resolved) ? { node: resolved, offset } : { offset };
}

interface Child {
  readonly value: unknown;
  readonly keyOffset: number | undefined;
}

function childOf(document: Document, parent: unknown, part: string | number): Child | undefined {
  const node = isAlias(parent) ? parent.resolve(document) : parent;
  if (isSeq(node)) {
    return typeof part === "number" && part < node.items.length
      ? { value: node.items[part], keyOffset: undefined }
      : undefined;
  }
  if (!isMap(node)) return undefined;
  const pair = node.items.findLast(({ key }) => isScalar(key) && (key.source ?? key.value) === String(part));
  if (pair !== undefined) return { value: pair.value, keyOffset: (pair.key as Scalar).range?.[0] };
  for (const merge of node.items.filter((item) => isMerge(item))) {
    const source = isAlias(merge.value) ? merge.value.resolve(document) : merge.value;
    for (const mapping of isSeq(source) ? source.items : [source]) {
      const found = childOf(document, mapping, part);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

function isNodeWithRange(node: unknown): node is Node {
  return isScalar(node) || isMap(node) || isSeq(node) || isAlias(node);
}
