import type { Redactor } from "./redactor.ts";

/** Masks the secrets in all texts and numbers of a JSON value; its shape stays. */
export function redactValue<T>(value: T, redactor: Pick<Redactor, "redact">): T {
  return redacted(value, redactor) as T; // a number that holds a secret becomes a text, which only readers see
}

function redacted(value: unknown, redactor: Pick<Redactor, "redact">): unknown {
  if (typeof value === "string") return redactor.redact(value);
  if (typeof value === "number") {
    const text = String(value);
    const masked = redactor.redact(text);
    return masked === text ? value : masked;
  }
  if (Array.isArray(value)) return value.map((item) => redacted(item, redactor));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [redactor.redact(key), redacted(item, redactor)]),
  );
}
