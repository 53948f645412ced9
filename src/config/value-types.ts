import path from "node:path";

import { isTable } from "./tables.ts";

/** What a parser may need to know about the place where a value stood. */
interface ValuePlace {
  /** Absolute; relative paths count from here. */
  readonly baseDir: string;
  readonly homeDir: string;
}

/** How the values of a setting are read: text from flags and variables, native values from YAML and TOML. */
export interface ValueType<T> {
  /** For error texts and documents: "a number of seconds, 0 or more". */
  readonly expected: string;
  /** Undefined when the value is not acceptable. */
  parse(raw: unknown, place: ValuePlace): Parsed<T> | undefined;
}

interface Parsed<T> {
  readonly value: T;
}

/** Text; an empty one counts as "none", and hides the sources below it, as with Prefect. */
export const text: ValueType<string | undefined> = {
  expected: "text (in quotes, should it look like a number)",
  parse: (raw) => (typeof raw === "string" ? { value: raw === "" ? undefined : raw } : undefined),
};

/** A name of a worker or a pool; the API refuses "/" and "%" in them. */
export const objectName: ValueType<string | undefined> = {
  expected: "a name without / and %",
  parse: (raw) => (typeof raw === "string" && /[/%]/.test(raw) ? undefined : text.parse(raw, NOWHERE)),
};

/** An http(s) URL without its trailing slashes. */
export const url: ValueType<string | undefined> = {
  expected: "an http:// or https:// URL",
  parse(raw) {
    if (raw === "") return { value: undefined };
    if (typeof raw !== "string") return undefined;
    const trimmed = raw.trim().replace(/\/+$/, "");
    return /^https?:\/\/[^/]/i.test(trimmed) && URL.canParse(trimmed) ? { value: trimmed } : undefined;
  },
};

const TRUE_WORDS = new Set(["true", "1", "yes", "on", "t", "y"]);
const FALSE_WORDS = new Set(["false", "0", "no", "off", "f", "n"]);

/** The spellings that Python (pydantic) takes, in any case. */
export const boolean: ValueType<boolean> = {
  expected: "true or false",
  parse(raw) {
    const word = String(raw).toLowerCase();
    if (typeof raw === "object") return undefined;
    if (TRUE_WORDS.has(word)) return { value: true };
    return FALSE_WORDS.has(word) ? { value: false } : undefined;
  },
};

export interface Bounds {
  readonly min?: number;
  readonly max?: number;
  /** The minimum itself is not allowed. */
  readonly above?: number;
}

/** A number as Python writes it: `5`, `0.5`, `1_000`, `1e3`. */
export function number(bounds: Bounds = {}): ValueType<number> {
  return {
    expected: `a number${describeBounds(bounds)}`,
    parse: (raw) => within(readNumber(raw), bounds),
  };
}

/** A whole number; `5.0` is one. */
export function integer(bounds: Bounds = {}): ValueType<number> {
  return {
    expected: `a whole number${describeBounds(bounds)}`,
    parse(raw) {
      const value = readNumber(raw);
      return Number.isSafeInteger(value) ? within(value, bounds) : undefined;
    },
  };
}

/** One of Prefect's settings in seconds; the value is in milliseconds. */
export function seconds(bounds: Bounds = {}): ValueType<number> {
  return {
    expected: `a number of seconds${describeBounds(bounds)}`,
    parse: (raw) => toMs(within(readNumber(raw), bounds)),
  };
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 };

/** One of our own durations: a number of seconds, or `500ms`, `10s`, `5m`, `1h`; the value is in milliseconds. */
export function duration(bounds: Bounds = {}): ValueType<number> {
  return {
    expected: `a duration such as 500ms, 10s, 5m, 1h, or a number of seconds${describeBounds(bounds)}`,
    parse(raw) {
      const [, digits, unit] = (typeof raw === "string" && /^\s*(.*\d)\s*(ms|s|m|h|d)\s*$/i.exec(raw)) || [];
      const factor = UNIT_SECONDS[unit?.toLowerCase() ?? "s"] ?? 1;
      const value = readNumber(digits ?? raw);
      return toMs(within(value === undefined ? undefined : value * factor, bounds));
    },
  };
}

/** One of the given words. */
export function choice<const T extends string>(
  words: readonly T[],
  normalise: (word: string) => string,
): ValueType<T> {
  return {
    expected: `one of ${words.join(", ")}`,
    parse(raw) {
      if (typeof raw !== "string") return undefined;
      const value = words.find((word) => word === normalise(raw));
      return value === undefined ? undefined : { value };
    },
  };
}

/** Names, as a list or with commas between them. */
export const textList: ValueType<readonly string[]> = {
  expected: "a list of names, or names with commas between them",
  parse(raw) {
    const parts: readonly unknown[] | undefined =
      typeof raw === "string" ? raw.split(",") : Array.isArray(raw) ? raw : undefined;
    if (parts === undefined || !parts.every((part) => typeof part === "string")) return undefined;
    return { value: parts.map((part) => part.trim()).filter((part) => part !== "") };
  },
};

const statusCode = integer({ min: 100, max: 599 });

/** HTTP status codes: `500,504`, a JSON list, a list, or a single number. */
export const statusCodes: ValueType<readonly number[]> = {
  expected: "HTTP status codes (100 to 599), such as 500,504",
  parse(raw) {
    if (raw === "") return { value: [] };
    const decoded = typeof raw === "string" ? (readJson(raw) ?? raw.split(",")) : raw;
    const parts: readonly unknown[] = Array.isArray(decoded) ? decoded : [decoded];
    const codes = parts.map((part) => statusCode.parse(part, NOWHERE)?.value);
    return codes.every((code) => code !== undefined) ? { value: [...new Set(codes)] } : undefined;
  },
};

/** Header names and values: a table, or JSON text (which Prefect also takes when encoded twice). */
export const headers: ValueType<Readonly<Record<string, string>>> = {
  expected: 'a JSON object of texts, such as {"X-Team": "data"}',
  parse(raw) {
    let decoded = raw;
    for (let depth = 0; depth < 2 && typeof decoded === "string"; depth += 1) decoded = readJson(decoded);
    if (decoded === null) return { value: {} };
    if (!isTable(decoded)) return undefined;
    const entries = Object.entries(decoded);
    return entries.every((entry): entry is [string, string] => typeof entry[1] === "string")
      ? { value: Object.fromEntries(entries) }
      : undefined;
  },
};

/** A path, made absolute; `~` is the home directory. */
export const filePath: ValueType<string | undefined> = {
  expected: "a path",
  parse(raw, place) {
    if (raw === "") return { value: undefined };
    return typeof raw === "string" ? { value: absolutePath(raw, place) } : undefined;
  },
};

/** A program: a bare name is looked up on PATH by whoever starts it, anything with a slash is a path. */
export const program: ValueType<string | undefined> = {
  expected: "the name or the path of a program",
  parse: (raw, place) =>
    typeof raw === "string" && /^[^/~][^/]*$/.test(raw) ? { value: raw } : filePath.parse(raw, place),
};

/** A cron line of five or six fields; `off` for none. Its finer points are checked where it is scheduled. */
export const cronLine: ValueType<string> = {
  expected: 'a cron line such as "17 * * * *", or off',
  parse(raw) {
    if (raw === false || raw === "off" || raw === "") return { value: "off" };
    if (typeof raw !== "string") return undefined;
    const fields = raw.trim().split(/\s+/);
    const isPlausible =
      (fields.length === 5 || fields.length === 6) && fields.every((field) => /^[\w*/,#?-]+$/.test(field));
    return isPlausible ? { value: fields.join(" ") } : undefined;
  },
};

const NOWHERE: ValuePlace = { baseDir: "/", homeDir: "/" };

function absolutePath(given: string, { baseDir, homeDir }: ValuePlace): string {
  const expanded = /^~(?=\/|$)/.test(given) ? homeDir + given.slice(1) : given;
  return path.resolve(baseDir, expanded);
}

function readNumber(raw: unknown): number | undefined {
  if (typeof raw === "number" || typeof raw === "bigint") {
    return Number.isFinite(Number(raw)) ? Number(raw) : undefined;
  }
  const isNumeric =
    typeof raw === "string" && /^\s*[+-]?(\d+(_\d+)*\.?(\d+(_\d+)*)?|\.\d+)(e[+-]?\d+)?\s*$/i.test(raw);
  return isNumeric ? Number(raw.replaceAll("_", "")) : undefined;
}

function within(value: number | undefined, { min, max, above }: Bounds): Parsed<number> | undefined {
  if (value === undefined || value < (min ?? -Infinity) || value > (max ?? Infinity)) return undefined;
  return above !== undefined && value <= above ? undefined : { value };
}

function toMs(parsed: Parsed<number> | undefined): Parsed<number> | undefined {
  return parsed === undefined ? undefined : { value: Math.round(parsed.value * 1000) };
}

function describeBounds({ min, max, above }: Bounds): string {
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}`;
  if (min !== undefined) return `, ${min} or more`;
  return above === undefined ? "" : ` above ${above}`;
}

function readJson(source: string): unknown {
  try {
    return JSON.parse(source);
  } catch {
    // No JSON: the caller decides whether plain text will do.
    return undefined;
  }
}
