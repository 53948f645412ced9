import { isDeepStrictEqual } from "node:util";

import { isMap, isScalar, isSeq, parseDocument, stringify } from "yaml";

import { WorkerError } from "../errors.ts";
import { stringifyJson } from "../json/stringify.ts";
import { isJsonObject } from "../json/value.ts";
import { DEPLOYMENT_FIELDS } from "./schema.ts";
import { parseYaml } from "./yaml-source.ts";

import type { YAMLMap, YAMLSeq } from "yaml";

import type { Json } from "../json/value.ts";
import type { Preparation } from "./preparation.ts";
import type { PrefectFile } from "./prefect-file.ts";

/** A deployment as an item of `deployments`, plain data in the order in which it is written. */
export type SavedEntry = Readonly<Record<string, unknown>>;

const FIRST = ["name", "entrypoint"];
const LAST = ["build", "push", "pull"] as const;

/**
 * What a file is to hold of a deployment: the declaration with arguments and answers, references as they are, and steps where they
 * are not those of the whole file. (prefect/deployments/base.py: _save_deployment_to_prefect_file, which saves the values that
 * references stand for, secrets too.)
 */
export function savedEntry(
  { written, target, build, push, declaredPull }: Preparation,
  file: PrefectFile | undefined,
): SavedEntry {
  const entry: Record<string, unknown> = {};
  const known = Object.keys(DEPLOYMENT_FIELDS);
  for (const key of [...FIRST, ...known.filter((name) => !FIRST.includes(name))]) {
    const value = written[key];
    // That there are no schedules is a declaration too.
    if (key !== "flow_name" && value !== undefined && (key === "schedules" || !isEmpty(value))) {
      entry[key] = plain(value);
    }
  }
  const steps = { build, push, pull: declaredPull };
  for (const key of LAST) {
    const own = target.declaration?.[key];
    const value = steps[key] ?? null;
    const isShared = isDeepStrictEqual(value, file?.actions[key] ?? (key === "pull" ? null : []));
    if (own !== undefined || !isShared) entry[key] = plain(own === null ? null : value);
  }
  return entry;
}

/** Whether the file holds an entry of that name and entrypoint, which nothing was asked of. */
export function isSaved({ written, isAsked }: Preparation, file: PrefectFile | undefined): boolean {
  if (isAsked || file === undefined) return false;
  return file.declarations.some(
    ({ fields }) => fields["name"] === written["name"] && fields["entrypoint"] === written["entrypoint"],
  );
}

/**
 * The file's text with a deployment appended; or, with `index`, with that item of `deployments` brought to it. Every other character of the file
 * stays: comments, order, anchors, quotes. Throws a WorkerError where that is not possible.
 */
export function withEntry(text: string, entry: SavedEntry, index?: number): string {
  const document = parseDocument(text, { schema: "failsafe", version: "1.1", uniqueKeys: false });
  const root = document.contents;
  const list = isMap(root) ? root.get("deployments", true) : undefined;
  const item = index !== undefined && isSeq(list) ? list.items[index] : undefined;
  const changed =
    index === undefined
      ? appended(text, root, list, entry)
      : isMap(item)
        ? updated(text, item, deploymentsIn(text)[index] as SavedEntry, entry)
        : undefined;
  if (changed !== undefined && holds(text, changed, entry, index)) return changed;
  throw new WorkerError("DEPLOY_REFUSED", "The deployment could not be written into the file", {
    hint: `Add this to its \`deployments\`:\n${block([entry], 2)}`,
  });
}

/** A new item at the end of the list. Undefined where the list is neither empty nor one that can be added to. */
function appended(text: string, root: unknown, list: unknown, entry: SavedEntry): string | undefined {
  const trimmed = text.trimEnd();
  if (isSeq(list) && list.items.length > 0) {
    return list.flow === true ? appendedToFlow(text, list, entry) : appendedToBlock(text, list, entry);
  }
  if (list !== undefined && !isScalar(list) && !isSeq(list)) return undefined;
  const range = list?.range;
  if (range !== undefined && range !== null) {
    // `deployments:` with nothing, null or [] behind it.
    const [start, end] = range;
    const before = text.slice(0, start).trimEnd();
    return `${before}\n${block([entry], 2)}${text.slice(end).replace(/^[ \t]*\n/, "")}`;
  }
  if (!isMap(root) || root.flow === true) return undefined;
  return `${trimmed}\n\ndeployments:\n${block([entry], 2)}`;
}

function appendedToBlock(text: string, list: YAMLSeq, entry: SavedEntry): string | undefined {
  const [start, valueEnd] = list.range ?? [];
  if (start === undefined || valueEnd === undefined) return undefined;
  const indent = start - lineStart(text, start);
  const end = endOfContent(text, start, valueEnd);
  return `${text.slice(0, end)}${text[end - 1] === "\n" ? "" : "\n"}${block([entry], indent)}${text.slice(end)}`;
}

function appendedToFlow(text: string, list: YAMLSeq, entry: SavedEntry): string | undefined {
  const [, end] = list.range ?? [];
  if (end === undefined) return undefined;
  const before = text.slice(0, end - 1).trimEnd();
  return `${before}${before.endsWith(",") ? "" : ","} ${flow(entry)}${text.slice(end - 1)}`;
}

/** Keys that changed get their new value, those that are new come after the others. */
function updated(text: string, item: YAMLMap, old: SavedEntry, entry: SavedEntry): string | undefined {
  const edits = editsOf(text, item, old, entry);
  if (edits === undefined) return undefined;
  let changed = text;
  for (const edit of edits.toSorted((a, b) => b.at - a.at)) {
    changed = changed.slice(0, edit.at) + edit.text + changed.slice(edit.until);
  }
  return changed;
}

interface Edit {
  readonly at: number;
  readonly until: number;
  readonly text: string;
}

/** Undefined where a place cannot be told. */
function editsOf(text: string, item: YAMLMap, old: SavedEntry, entry: SavedEntry): Edit[] | undefined {
  const edits: Edit[] = [];
  const added: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(entry)) {
    if (isDeepStrictEqual(old[key], value)) continue;
    const pair = item.items.findLast(
      (candidate) => hasRange(candidate.key) && textAt(text, candidate.key) === key,
    );
    if (pair === undefined) {
      added[key] = value;
      continue;
    }
    const inner = innerEdits(text, pair.value, old[key], value);
    const edit = inner === undefined ? editOf(text, pair.value, value) : undefined;
    if (inner === undefined && edit === undefined) return undefined;
    edits.push(...(inner ?? []), ...(edit === undefined ? [] : [edit]));
  }
  const [start, end] = item.range ?? [];
  if (start === undefined || end === undefined) return undefined;
  if (Object.keys(added).length === 0) return edits;
  if (item.flow === true) {
    const at = text.slice(0, end - 1).trimEnd().length;
    const comma = item.items.length === 0 ? "" : ",";
    return [...edits, { at, until: at, text: `${comma} ${flow(added).slice(1, -1).trim()}` }];
  }
  const at = endOfContent(text, start, end);
  const lines = block(added, start - lineStart(text, start));
  return [...edits, { at, until: at, text: `${text[at - 1] === "\n" ? "" : "\n"}${lines}` }];
}

/** A mapping of which nothing is taken away is changed key by key. */
function innerEdits(text: string, node: unknown, old: unknown, value: unknown): Edit[] | undefined {
  if (!isMap(node) || node.items.length === 0 || !isPlainObject(old) || !isPlainObject(value))
    return undefined;
  return Object.keys(old).every((key) => Object.hasOwn(value, key))
    ? editsOf(text, node, old, value)
    : undefined;
}

function editOf(text: string, node: unknown, value: unknown): Edit | undefined {
  const [start, end] = (hasRange(node) ? node.range : undefined) ?? [];
  if (start === undefined || end === undefined) return undefined;
  const until = start === end ? start : endOfContent(text, start, end, false);
  return { at: start, until, text: `${text[start - 1] === ":" ? " " : ""}${flow(value)}` };
}

function isPlainObject(value: unknown): value is SavedEntry {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Where a block's last line with content ends: comments and empty lines behind it belong to what follows. */
function endOfContent(text: string, start: number, end: number, hasLineEnd = true): number {
  const content = text.slice(start, end).replace(/(?:\n[ \t]*(?:#[^\n]*)?)+$/, "");
  const last = start + content.length;
  if (!hasLineEnd) return last;
  const next = text.indexOf("\n", last);
  return next === -1 ? text.length : next + 1;
}

function lineStart(text: string, offset: number): number {
  return text.lastIndexOf("\n", offset - 1) + 1;
}

function textAt(text: string, { range }: { readonly range?: readonly number[] | null }): string {
  return text.slice(range?.[0], range?.[1]).replace(/^(["'])(.*)\1$/, "$2");
}

function hasRange(node: unknown): node is { readonly range?: readonly [number, number, number] | null } {
  return typeof node === "object" && node !== null && "range" in node;
}

function deploymentsIn(text: string): readonly unknown[] {
  const { value } = parseYaml(Buffer.from(text), "prefect.yaml");
  const list = isJsonObject(value) ? value["deployments"] : undefined;
  return Array.isArray(list) ? (plain(list) as readonly unknown[]) : [];
}

/** Whether the new text says what it is to say, and of everything else what the old one said. */
function holds(text: string, changed: string, entry: SavedEntry, index: number | undefined): boolean {
  const before = plain(parseYaml(Buffer.from(text), "prefect.yaml").value) as Record<string, unknown>;
  const after = plain(parseYaml(Buffer.from(changed), "prefect.yaml").value) as Record<string, unknown>;
  const old = deploymentsIn(text);
  const wanted =
    index === undefined
      ? [...old, entry]
      : old.map((item, at) => (at === index ? { ...(item as object), ...entry } : item));
  return isDeepStrictEqual(after, { ...before, deployments: wanted });
}

function isEmpty(value: Json): boolean {
  if (value === null || value === "") return true;
  if (Array.isArray(value)) return value.length === 0;
  return isJsonObject(value) && Object.keys(value).length === 0;
}

function plain(value: Json): unknown {
  return JSON.parse(stringifyJson(value));
}

const STYLE = { version: "1.1", lineWidth: 0, aliasDuplicateObjects: false } as const;

function block(value: unknown, indent: number): string {
  return stringify(value, STYLE).replaceAll(/^(?=.)/gm, " ".repeat(indent));
}

function flow(value: unknown): string {
  const oneLine = { blockQuote: false, doubleQuotedMinMultiLineLength: Infinity } as const;
  return stringify(value, { ...STYLE, ...oneLine, collectionStyle: "flow" })
    .trimEnd()
    .replaceAll(/\n\s*/g, " ");
}
