import { LEVELS } from "./levels.ts";

import type { ErrorFields } from "./error-fields.ts";

export interface ConsoleFormatOptions {
  readonly hasColour: boolean;
  /** Otherwise an error shows its message and hint only. */
  readonly showsStack: boolean;
}

/** A pino line after JSON.parse. */
export interface LogRecord {
  readonly level: keyof typeof LEVELS;
  readonly time: string;
  readonly msg?: string;
  readonly err?: ErrorFields;
  readonly [field: string]: unknown;
}

const DEFAULT_NAME = "lighterman";

// What the line's head already says, or what never changes while the worker runs.
const SILENT_FIELDS = new Set([
  "level",
  "time",
  "msg",
  "err",
  "name",
  "component",
  "worker",
  "workPool",
  "flowRunName",
  "phases",
  "state",
]);

const COLOURS: Readonly<Record<keyof typeof LEVELS, string>> = {
  trace: "2",
  debug: "34",
  info: "36",
  warn: "33",
  error: "31",
  fatal: "91",
};

/** One line of Prefect's console: `HH:MM:SS.mmm | LEVEL   | logger - message` (prefect/logging/logging.yml: standard). */
export function formatConsoleLine(record: LogRecord, options: ConsoleFormatOptions): string {
  const paint = (code: string, text: string): string =>
    options.hasColour ? `\u001B[${code}m${text}\u001B[0m` : text;
  const label = paint(COLOURS[record.level], LEVELS[record.level].label.padEnd(7));
  // An info line says all of it in words; its fields are for JSON.
  const data = (record.level === "info" ? [] : Object.entries(record))
    .filter(
      ([key]) => !SILENT_FIELDS.has(key) && !(key === "flowRunId" && record["flowRunName"] !== undefined),
    )
    .map(([key, value]) => paint("2", `${key}=${formatValue(value)}`));
  const text = [[headline(record), ...data].join(" ")];
  if (record.err?.hint !== undefined) text.push(`  ${record.err.hint}`);
  if (record.err?.stack !== undefined && options.showsStack) text.push(...stacks(record.err));
  return `${clockTime(record.time)} | ${label} | ${source(record)} - ${text.join("\n")}\n`;
}

function headline(record: LogRecord): string {
  const message = record.msg ?? "";
  if (record.err === undefined) return message;
  const problem = chain(record.err).join(": ");
  // `log.error(error)` makes the error's message the line's.
  return message === "" || message === record.err.message ? problem : `${message}: ${problem}`;
}

/** Messages of an error and its causes; a cause whose text the outer one repeats is left out. */
function chain(error: ErrorFields): readonly string[] {
  const messages: string[] = [];
  for (let current: ErrorFields | undefined = error; current !== undefined; current = current.cause) {
    const { message, type, errors } = current;
    const own = message === "" ? type : message;
    if (!messages.some((outer) => outer.includes(own))) messages.push(own);
    if (errors !== undefined) messages.push(errors.map((inner) => chain(inner).join(": ")).join("; "));
  }
  return messages;
}

function stacks(error: ErrorFields): readonly string[] {
  const own = error.stack === undefined ? [] : [error.stack];
  return error.cause === undefined
    ? own
    : [...own, ...stacks(error.cause).map((stack) => `caused by: ${stack}`)];
}

function source(record: LogRecord): string {
  const { flowRunName, name, component } = record;
  if (typeof flowRunName === "string") return `Flow run '${flowRunName}'`;
  if (typeof name === "string") return name;
  return typeof component === "string" ? `${DEFAULT_NAME}.${component}` : DEFAULT_NAME;
}

function clockTime(iso: string): string {
  const time = new Date(iso);
  const two = (value: number): string => String(value).padStart(2, "0");
  const seconds = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(":");
  return `${seconds}.${String(time.getMilliseconds()).padStart(3, "0")}`;
}

function formatValue(value: unknown): string {
  if (typeof value === "string" && /^[^\s"=]+$/.test(value)) return value;
  return JSON.stringify(value) ?? "";
}
