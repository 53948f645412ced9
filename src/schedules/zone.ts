import { ScheduleError } from "./error.ts";

const DAY_MS = 86_400_000;
const FORMATS = new Map<string, Intl.DateTimeFormat>();

/** No schedule goes on beyond the end of the year 9999, as in Python. */
export const LAST_WALL_MS = Date.UTC(9999, 11, 31, 23, 59, 59);

/** Throws a {@link ScheduleError} unless `zone` is a name of the IANA database, such as `Europe/Berlin`. */
export function checkZone(zone: string): void {
  // A server without other zones never loads their data.
  if (zone === "UTC") return;
  const known = canonicalZone(zone);
  // Intl takes names in any case, the zone database of Python (and most file systems) does not.
  const isMisspelt = known !== zone && known?.toLowerCase() === zone.toLowerCase();
  if (known !== undefined && !isMisspelt) return;
  const hint = "Give a name of the IANA time zone database, such as Europe/Berlin or UTC";
  throw new ScheduleError(
    "timezone",
    `Invalid timezone: "${zone}"`,
    zone,
    isMisspelt ? `${hint}; did you mean ${known}?` : `${hint}.`,
  );
}

function canonicalZone(zone: string): string | undefined {
  if (!/^[a-z]/i.test(zone)) return undefined;
  try {
    return formatOf(zone).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}

/** Offset of a time zone from UTC at an instant, in milliseconds. Throws a RangeError for an unknown zone. */
export function offsetAt(zone: string, epochMs: number): number {
  if (zone === "UTC") return 0;
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
 * it, as much later as it skips (02:30 becomes 03:30, as RFC 5545 has it).
 */
export function instantOf(zone: string, wallMs: number): number {
  if (zone === "UTC") return wallMs;
  const [before, after] = [offsetAt(zone, wallMs - DAY_MS), offsetAt(zone, wallMs + DAY_MS)];
  const [early, late] = [wallMs - before, wallMs - after];
  return before === after || offsetAt(zone, early) === before || offsetAt(zone, late) !== after
    ? early
    : late;
}

/**
 * The instants, from `startMs` on and in order, at which the clock of a zone shows the times that `walls` gives in order from a
 * wall time on. A time that is skipped may come among later ones, and on one of them: then once.
 */
export function* instantsOnWall(
  zone: string,
  startMs: number,
  walls: (fromMs: number) => Iterable<number>,
): Generator<number> {
  const startWall = wallOf(zone, startMs);
  // Times that were skipped just before the start come after it.
  const skipped = Math.max(0, offsetAt(zone, startMs) - offsetAt(zone, startMs - DAY_MS));
  const moved: number[] = [];
  let last = -Infinity;
  function* upTo(instant: number): Generator<number> {
    for (let first = moved[0]; first !== undefined && first < instant; first = moved[0]) {
      moved.shift();
      if (first >= startMs && first > last) yield (last = first);
    }
  }
  for (const wall of walls(startWall - skipped)) {
    const instant = instantOf(zone, wall);
    if (wallOf(zone, instant) !== wall) {
      moved.push(instant);
      continue;
    }
    yield* upTo(instant);
    if (instant >= startMs && instant > last) yield (last = instant);
  }
  yield* upTo(Infinity);
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
