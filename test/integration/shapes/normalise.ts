const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi;
const TIME = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;
const NOW_MS = 3_600_000;
/** Durations that are measured. */
const MEASURED: ReadonlySet<string> = new Set([
  "estimated_run_time",
  "estimated_start_time_delta",
  "time_in_current_state",
  "total_run_time",
]);
/** Lists without an order. */
const SETS: ReadonlySet<string> = new Set(["tags"]);

/**
 * An answer without what differs from server to server: saved values by their names, other ids as `<id>`, times of today as
 * `<now>`, other times as instants, measured durations as `<seconds>`, sets in order.
 */
export function normalised(body: unknown, saved: ReadonlyMap<string, string>): unknown {
  // The longest first: one may be part of another.
  const names = [...saved].toSorted(([, a], [, b]) => b.length - a.length);

  function textOf(text: string): string {
    if (TIME.test(text)) {
      const ms = Date.parse(text.replace(" ", "T"));
      if (Math.abs(ms - Date.now()) < NOW_MS) return "<now>";
      return new Date(ms).toISOString();
    }
    let result = text;
    for (const [name, value] of names) result = result.replaceAll(value, `<${name}>`);
    return result.replaceAll(UUID, "<id>");
  }

  function valueOf(value: unknown): unknown {
    if (typeof value === "string") return textOf(value);
    if (Array.isArray(value)) return value.map((item) => valueOf(item));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [
        textOf(key),
        MEASURED.has(key) && typeof item === "number"
          ? "<seconds>"
          : SETS.has(key) && Array.isArray(item)
            ? valueOf(item.toSorted((a, b) => String(a).localeCompare(String(b))))
            : valueOf(item),
      ]),
    );
  }

  return valueOf(body);
}
