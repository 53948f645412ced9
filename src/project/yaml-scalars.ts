import { Float } from "../json/value.ts";

import type { Json } from "../json/value.ts";

/** What a plain (unquoted) scalar means. `isDate` tells a date or time, which is given as its ISO text. */
export interface ScalarValue {
  readonly value: Json;
  readonly isDate?: boolean;
}

// The implicit types of YAML 1.1 as PyYAML's safe loader reads them, which prefect.yaml is written for: `y` and `1e3` are texts,
// `1_000` and `1:30` are numbers (reference: PyYAML's resolver; checked beside it by a test).
const BOOLEANS = new Map([
  ...["yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"].map((text) => [text, true] as const),
  ...["no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"].map((text) => [text, false] as const),
]);
const NULLS: ReadonlySet<string> = new Set(["", "~", "null", "Null", "NULL"]);
const INTEGER = /^[-+]?(?:0b[01_]+|0[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|[1-9][0-9_]*(?::[0-5]?[0-9])+)$/;
const FLOAT =
  /^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;
const DATE = /^\d{4}-\d\d-\d\d$/;
const TIME =
  /^(\d{4})-(\d\d?)-(\d\d?)(?:[Tt]|[ \t]+)(\d\d?):(\d\d):(\d\d)(?:\.(\d*))?(?:[ \t]*(?:(Z)|([-+])(\d\d?)(?::(\d\d))?))?$/;

/** Reads a plain scalar. Throws a RangeError for a date that does not exist. */
export function readPlainScalar(text: string): ScalarValue {
  if (NULLS.has(text)) return { value: null };
  const boolean = BOOLEANS.get(text);
  if (boolean !== undefined) return { value: boolean };
  if (INTEGER.test(text)) return { value: readInteger(text) };
  if (FLOAT.test(text)) return { value: readFloat(text) };
  if (DATE.test(text)) return { value: checkedDate(text, text), isDate: true };
  const time = TIME.exec(text);
  return time === null ? { value: text } : { value: readTime(text, time), isDate: true };
}

/** The integer that a text of {@link INTEGER}'s form stands for. */
export function readInteger(text: string): number | bigint {
  const { sign, digits } = signed(text);
  const magnitude = digits.includes(":")
    ? sexagesimal(digits.split(":").map((part) => BigInt(part)))
    : BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
  const value = sign * magnitude;
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

/** The number that a text of {@link FLOAT}'s form stands for. */
export function readFloat(text: string): Json {
  const { sign, digits } = signed(text.toLowerCase());
  const value = digits === ".inf" ? Infinity : digits === ".nan" ? NaN : decimal(digits);
  const number = Number(sign) * value;
  return Number.isInteger(number) ? new Float(number) : number;
}

function signed(text: string): { readonly sign: bigint; readonly digits: string } {
  const digits = text.replaceAll("_", "").replace(/^[-+]/, "");
  return { sign: text.startsWith("-") ? -1n : 1n, digits };
}

function sexagesimal(parts: readonly bigint[]): bigint {
  return parts.reduce((sum, part) => sum * 60n + part, 0n);
}

function decimal(digits: string): number {
  return digits.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
}

/** As Python's isoformat() prints it; the offset stays as written, `Z` as +00:00. */
function readTime(text: string, match: RegExpExecArray): string {
  const [, year = "", month = "", day = "", hour = "", minute, second, fraction = "", utc] = match;
  const [sign, hours, minutes = "00"] = match.slice(9);
  const two = (part: string): string => part.padStart(2, "0");
  const date = checkedDate(`${year}-${two(month)}-${two(day)}`, text);
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) throw noSuchDate(text);
  const digits = fraction.slice(0, 6).padEnd(6, "0");
  const micros = Number(digits) === 0 ? "" : `.${digits}`;
  const offset =
    utc !== undefined ? "+00:00" : sign === undefined ? "" : `${sign}${two(hours ?? "")}:${minutes}`;
  return `${date}T${two(hour)}:${minute}:${second}${micros}${offset}`;
}

function checkedDate(date: string, text: string): string {
  const [year = 0, month = 0, day = 0] = date.split("-").map(Number);
  const real = new Date(Date.UTC(year, month - 1, day));
  if (year === 0 || real.getUTCMonth() !== month - 1 || real.getUTCDate() !== day) throw noSuchDate(text);
  return date;
}

function noSuchDate(text: string): RangeError {
  return new RangeError(`there is no date ${text}; put it in quotes if it is a text`);
}
