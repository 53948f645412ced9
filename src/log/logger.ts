import { pino, stdTimeFunctions } from "pino";

import { formatConsoleLine } from "./console-format.ts";
import { errorFields } from "./error-fields.ts";
import { redactValue } from "./redact-value.ts";

import type { Logger } from "pino";

import type { LogRecord } from "./console-format.ts";
import type { LogLevel } from "./levels.ts";
import type { LogStream } from "./log-stream.ts";
import type { Redactor } from "./redactor.ts";

export type { Logger } from "pino";

export interface LoggerOptions {
  /** `pretty`: Prefect's console lines; `json`: one object a line. */
  readonly format: "pretty" | "json";
  readonly level: LogLevel;
  /** `openLogStream(1)`, or anything with a `write`. */
  readonly stream: LogStream;
  readonly redactor: Redactor;
  /** Colour is only used on a terminal. */
  readonly isTty?: boolean;
}

/**
 * The root logger; components log through children (`{ component }`, `{ flowRunId, flowRunName }`, or `{ name }` for one
 * of Prefect's own logger names). Secrets are masked in the finished line, so no field can slip past.
 */
export function createLogger(options: LoggerOptions): Logger {
  const { redactor, stream } = options;
  // A reader that went away must not end the worker.
  stream.on?.("error", () => undefined);
  const format = {
    hasColour: options.isTty ?? false,
    showsStack: options.level === "debug" || options.level === "trace",
  };
  const render =
    options.format === "json"
      ? (line: string) => redactJsonLine(line, redactor)
      : (line: string) => redactor.redact(formatConsoleLine(JSON.parse(line) as LogRecord, format));
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: (thrown: unknown) => errorFields(thrown) },
    },
    { write: (line: string) => void stream.write(render(line)) },
  );
}

/** Masks inside the values when something is found, so that the line stays JSON. */
function redactJsonLine(line: string, redactor: Redactor): string {
  if (redactor.redact(line) === line) return line;
  return `${JSON.stringify(redactValue(JSON.parse(line), redactor))}\n`;
}
