import { WorkerError } from "../errors.ts";

/** What a log line says about an error. Only known fields: others may hold whole requests with their headers. */
export interface ErrorFields {
  readonly type: string;
  readonly message: string;
  readonly code?: string;
  readonly hint?: string;
  readonly stack?: string;
  readonly cause?: ErrorFields;
  readonly errors?: readonly ErrorFields[];
}

const MAX_DEPTH = 5;
const MAX_ERRORS = 10;

/** Serialises whatever was thrown, with its causes. */
export function errorFields(thrown: unknown, depth = 0): ErrorFields {
  if (!(thrown instanceof Error)) return { type: typeof thrown, message: String(thrown) };
  const code = "code" in thrown && typeof thrown.code === "string" ? thrown.code : undefined;
  const hint = thrown instanceof WorkerError ? thrown.hint : undefined;
  const isDeep = depth >= MAX_DEPTH;
  return {
    type: thrown.name,
    message: thrown.message,
    ...(code !== undefined && { code }),
    ...(hint !== undefined && { hint }),
    ...(thrown.stack !== undefined && { stack: thrown.stack }),
    ...(thrown.cause !== undefined && !isDeep && { cause: errorFields(thrown.cause, depth + 1) }),
    ...(thrown instanceof AggregateError &&
      !isDeep && {
        errors: thrown.errors.slice(0, MAX_ERRORS).map((error) => errorFields(error, depth + 1)),
      }),
  };
}
