const FORMATS = new Map<string, Intl.DateTimeFormat>();
const DAY_MS = 86_400_000;

/** Offset of a time zone from UTC at an instant, in milliseconds. Throws a RangeError for an unknown zone. */
function offsetAt(zone: string, epochMs: number): number {
  const whole = Math.floor(epochMs / 1000) * 1000;
  const parts = formatOf(zone).formatToParts(whole);
  const part = (type: string): number => Number(parts.find((candidate) => candidate.type === type)?.value);
  const wall = Date.UTC(
    part("year"),
    part("month") - 1,
    part("day"),
    part("hour"),
    part("minute"),
    part("second"),
  );
  return wall - whole;
}

/** What a clock on the wall of the zone shows, as if it were UTC. */
export function wallOf(zone: string, epochMs: number): number {
  return epochMs + offsetAt(zone, epochMs);
}

/**
 * The instant at which a clock on the wall of the zone shows that time: the first one where it shows it twice; where it skips
 * it, as much later as it skips (02:30 becomes 03:30).
 */
export function instantOf(zone: string, wallMs: number): number {
  const [before, after] = [offsetAt(zone, wallMs - DAY_MS), offsetAt(zone, wallMs + DAY_MS)];
  const [early, late] = [wallMs - before, wallMs - after];
  return offsetAt(zone, early) === before || offsetAt(zone, late) !== after ? early : late;
}

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = FORMATS.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    FORMATS.set(zone, format);
  }
  return format;
}
