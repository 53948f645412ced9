import { instantOf, wallOf } from "./zone.ts";

/**
 * Instants of a cron line as croniter reads it: 5 fields, a sixth for seconds, a seventh for years; both day fields restricted
 * match either (`dayOr`) or both. The line is followed on the wall clock, and each time is then looked up in the zone.
 * Throws a RangeError for a line or a zone that cannot be read.
 */
export async function cronInstants(
  line: string,
  zone: string,
  dayOr: boolean,
): Promise<(startMs: number) => Iterable<number>> {
  const { Cron } = await import("croner");
  wallOf(zone, 0);
  let cron: InstanceType<typeof Cron>;
  try {
    cron = new Cron(inCronersOrder(line), { timezone: "UTC", domAndDow: !dayOr, paused: true });
  } catch (thrown) {
    throw new RangeError(`Invalid cron string "${line}"`, { cause: thrown });
  }
  return function* (startMs) {
    // A time that equals the start counts.
    let wall = Math.ceil(wallOf(zone, startMs) / 1000) * 1000 - 1000;
    let last = -Infinity;
    for (;;) {
      const next = cron.nextRun(new Date(wall));
      if (next === null) return;
      wall = next.getTime();
      const instant = instantOf(zone, wall);
      if (instant < startMs || instant <= last) continue;
      last = instant;
      yield instant;
    }
  };
}

/** croniter has seconds behind the days, croner before the minutes; hashed and random fields are refused, as in Prefect. */
function inCronersOrder(line: string): string {
  const trimmed = line.trim();
  if (trimmed.startsWith("@")) {
    if (/^@reboot$/i.test(trimmed)) throw new RangeError(`Unsupported cron string "${line}"`);
    return trimmed.replace(/^@midnight$/i, "@daily").toLowerCase();
  }
  const fields = trimmed.split(/\s+/);
  if (fields.length < 5 || fields.length > 7 || fields.some((field) => /^[HR]|[,(]R/i.test(field))) {
    throw new RangeError(`Unsupported cron string "${line}"`);
  }
  const [days, seconds = "0", year] = [fields.slice(0, 5).join(" "), fields[5], fields[6]];
  return year === undefined ? `${seconds} ${days}` : `${seconds} ${days} ${year}`;
}
