import { entriesOf } from "../../json/object.ts";
import { isJsonObject } from "../../json/value.ts";
import { compare, isEqual } from "./operators.ts";
import { pythonJson } from "./python-json.ts";
import {
  TemplateObject,
  UNDEFINED,
  asFloat,
  attributeOf,
  firstOf,
  isMapping,
  isTrue,
  itemOf,
  itemsOf,
  jsonOf,
  numberOf,
  textOfValue,
} from "./value.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { Value } from "./value.ts";

type Named = ReadonlyMap<string, Value>;
type Filter = (value: Value, args: readonly Value[], named: Named) => Value;

/** Jinja's filters that carry no state, and Prefect's own. */
export const FILTERS: Readonly<Record<string, Filter>> = {
  abs: (value) =>
    Number.isInteger(numberOf(value)) ? Math.abs(numberOf(value)) : asFloat(Math.abs(numberOf(value))),
  capitalize: onText((text) => text.charAt(0).toUpperCase() + text.slice(1).toLowerCase()),
  count: lengthOf,
  d: otherwise,
  default: otherwise,
  dictsort: (value) => entries(value).toSorted(([a], [b]) => compare(a.toLowerCase(), b.toLowerCase())),
  e: escape,
  escape,
  first: (value) => firstOf(itemsOf(value)[0]),
  float: (value, args, named) => toNumber(value, argument(args, named, 0, "default") ?? asFloat(0), Number),
  flow_run_id: (value) => FLOW_RUN_URL.exec(isTrue(value) ? textOfValue(value) : "")?.[1] ?? null,
  format: (value, args) => format(textOfValue(value), args),
  indent,
  int: (value, args, named) => toNumber(value, argument(args, named, 0, "default") ?? 0, Math.trunc),
  items: (value) => entries(value),
  join: (value, args, named) => {
    const attribute = argument(args, named, 1, "attribute");
    const items = attribute === undefined ? itemsOf(value) : pluck(value, attribute);
    return items.map((item) => textOfValue(item)).join(textOfValue(argument(args, named, 0, "d") ?? ""));
  },
  last: (value) => firstOf(itemsOf(value).at(-1)),
  length: lengthOf,
  list: (value) => [...itemsOf(value)],
  lower: onText((text) => text.toLowerCase()),
  map: mapItems,
  max: (value) => itemsOf(value).toSorted(compare).at(-1) ?? UNDEFINED,
  min: (value) => itemsOf(value).toSorted(compare)[0] ?? UNDEFINED,
  reject: (value, args) => select(value, args, false),
  rejectattr: (value, args) => selectByAttribute(value, args, false),
  replace: (value, [from = "", to = ""]) =>
    textOfValue(value).replaceAll(textOfValue(from), () => textOfValue(to)),
  reverse: (value) =>
    typeof value === "string" ? Array.from(value).toReversed().join("") : itemsOf(value).toReversed(),
  round,
  safe: (value) => value,
  select: (value, args) => select(value, args, true),
  selectattr: (value, args) => selectByAttribute(value, args, true),
  sort,
  string: (value) => textOfValue(value),
  sum: (value) => itemsOf(value).reduce<number>((total, item) => total + numberOf(item), 0),
  title: onText((text) =>
    text.replaceAll(/[\p{L}\p{N}']+/gu, (word) => word.charAt(0).toUpperCase() + word.slice(1).toLowerCase()),
  ),
  tojson: (value, args, named) => pythonJson(jsonOf(value), indentOf(argument(args, named, 0, "indent"))),
  trim: onText((text) => text.trim()),
  truncate,
  ui_resource_events_url: (value) => (value instanceof TemplateObject ? value.uiEventsUrl : null),
  ui_url: (value) => (value instanceof TemplateObject ? value.uiUrl : null),
  unique: (value) =>
    itemsOf(value).filter((item, at, all) => all.findIndex((other) => isEqual(other, item)) === at),
  upper: onText((text) => text.toUpperCase()),
  urlencode: onText((text) => encodeURIComponent(text).replaceAll("%2F", "/")),
  wordcount: (value) => (textOfValue(value).match(/\w+/g) ?? []).length,
};

const FLOW_RUN_URL = /flow-run\/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/;

function onText(change: (text: string) => string): Filter {
  return (value) => change(textOfValue(value));
}

function argument(args: readonly Value[], named: Named, at: number, name: string): Value | undefined {
  return args[at] ?? named.get(name);
}

function otherwise(value: Value, args: readonly Value[], named: Named): Value {
  const isFalsyToo = isTrue(argument(args, named, 1, "boolean") ?? false);
  const isMissing = value === UNDEFINED || (isFalsyToo && !isTrue(value));
  return isMissing ? (argument(args, named, 0, "default_value") ?? "") : value;
}

function lengthOf(value: Value): number {
  return itemsOf(value).length;
}

function entries(value: Value): [string, Value][] {
  if (value === UNDEFINED) return [];
  if (isMapping(value)) return entriesOf(value as Parameters<typeof entriesOf>[0]);
  const json: Json = jsonOf(value);
  if (isJsonObject(json)) return entriesOf(json satisfies JsonObject);
  throw new TypeError("Can only get item pairs from a mapping.");
}

function escape(value: Value): string {
  const marks: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    "'": "&#39;",
    '"': "&#34;",
  };
  return textOfValue(value).replaceAll(/[&<>'"]/g, (mark) => marks[mark] ?? mark);
}

function toNumber(value: Value, fallback: Value, round: (number: number) => number): Value {
  const text = typeof value === "string" ? value.trim() : undefined;
  const number = text === undefined ? safely(() => numberOf(value)) : text === "" ? undefined : Number(text);
  if (number === undefined || Number.isNaN(number)) return fallback;
  return round === Number ? asFloat(number) : round(number);
}

function safely<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}

/** `%s` and its like. */
function format(pattern: string, args: readonly Value[]): string {
  const rest = [...args];
  return pattern.replaceAll(/%([sdr%])/g, (_whole, kind: string) => {
    if (kind === "%") return "%";
    const value = rest.shift();
    if (value === undefined) throw new TypeError("not enough arguments for format string");
    return kind === "d" ? String(Math.trunc(numberOf(value))) : textOfValue(value);
  });
}

function indent(value: Value, args: readonly Value[], named: Named): string {
  const width = argument(args, named, 0, "width") ?? 4;
  const margin = typeof width === "string" ? width : " ".repeat(numberOf(width));
  const isFirstToo = isTrue(argument(args, named, 1, "first") ?? false);
  return textOfValue(value)
    .split("\n")
    .map((line, at) => ((at === 0 && !isFirstToo) || line === "" ? line : margin + line))
    .join("\n");
}

function round(value: Value, args: readonly Value[], named: Named): Value {
  const factor = 10 ** numberOf(argument(args, named, 0, "precision") ?? 0);
  const method = argument(args, named, 1, "method") ?? "common";
  const scaled = numberOf(value) * factor;
  const rounded =
    method === "ceil" ? Math.ceil(scaled) : method === "floor" ? Math.floor(scaled) : halfEven(scaled);
  return asFloat(rounded / factor);
}

/** As Python rounds. */
function halfEven(value: number): number {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

function sort(value: Value, args: readonly Value[], named: Named): Value[] {
  const attribute = argument(args, named, 2, "attribute");
  const key = (item: Value): Value => {
    const found = attribute === undefined ? item : path(item, textOfValue(attribute));
    return typeof found === "string" && !isTrue(argument(args, named, 1, "case_sensitive") ?? false)
      ? found.toLowerCase()
      : found;
  };
  const sorted = itemsOf(value).toSorted((a, b) => compare(key(a), key(b)));
  return isTrue(argument(args, named, 0, "reverse") ?? false) ? sorted.toReversed() : sorted;
}

function truncate(value: Value, args: readonly Value[], named: Named): string {
  const text = textOfValue(value);
  const length = numberOf(argument(args, named, 0, "length") ?? 255);
  const end = textOfValue(argument(args, named, 2, "end") ?? "...");
  const leeway = numberOf(argument(args, named, 3, "leeway") ?? 5);
  if (text.length <= length + leeway) return text;
  const cut = text.slice(0, Math.max(0, length - end.length));
  return (isTrue(argument(args, named, 1, "killwords") ?? false) ? cut : cut.replace(/ [^ ]*$/, "")) + end;
}

function mapItems(value: Value, args: readonly Value[], named: Named): Value[] {
  const attribute = named.get("attribute");
  if (attribute !== undefined) {
    const fallback = named.get("default");
    return pluck(value, attribute).map((item) =>
      item === UNDEFINED && fallback !== undefined ? fallback : item,
    );
  }
  const [name, ...rest] = args;
  const filterName = textOfValue(name ?? "");
  const filter = Object.hasOwn(FILTERS, filterName) ? FILTERS[filterName] : undefined;
  if (filter === undefined) throw new TypeError(`No filter named '${filterName}'.`);
  return itemsOf(value).map((item) => filter(item, rest, named));
}

function select(value: Value, [test]: readonly Value[], wanted: boolean): Value[] {
  if (test !== undefined) throw new TypeError("This server knows select and reject without a test only");
  return itemsOf(value).filter((item) => isTrue(item) === wanted);
}

function selectByAttribute(value: Value, args: readonly Value[], wanted: boolean): Value[] {
  const [attribute = "", test, other = UNDEFINED] = args;
  if (test !== undefined && !["==", "eq", "equalto"].includes(textOfValue(test)))
    throw new TypeError(`This server does not know the test '${textOfValue(test)}' in templates`);
  return itemsOf(value).filter((item) => {
    const found = path(item, textOfValue(attribute));
    return (test === undefined ? isTrue(found) : isEqual(found, other)) === wanted;
  });
}

function pluck(value: Value, attribute: Value): Value[] {
  return itemsOf(value).map((item) => path(item, textOfValue(attribute)));
}

/** `a.b.0`. */
function path(value: Value, dotted: string): Value {
  return dotted
    .split(".")
    .reduce<Value>(
      (found, step) => (/^\d+$/.test(step) ? itemOf(found, Number(step)) : attributeOf(found, step)),
      value,
    );
}

function indentOf(value: Value | undefined): number | undefined {
  return value === undefined || value === null ? undefined : numberOf(value);
}
