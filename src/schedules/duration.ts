const ISO =
  /^([+-])?P(?:(\d+(?:\.\d+)?)Y)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?$/i;
/** As Python writes a timedelta: `1 day, 02:03:04`. */
const CLOCK = /^([+-])?(?:(\d+) days?(?:,? |$))?(?:(\d\d?):(\d\d):(\d\d(?:\.\d+)?))?$/i;

const [MINUTE, HOUR, DAY, WEEK] = [60, 3600, 86_400, 604_800];

/**
 * Seconds of a duration as the API takes it: ISO 8601 (`PT1H30M`; a month is 30 days, a year 365) or `[N days, ]HH:MM:SS`.
 * Undefined for anything else.
 */
export function readDuration(text: string): number | undefined {
  const trimmed = text.trim();
  const iso = ISO.exec(trimmed);
  // Neither P nor T alone is a duration.
  if (iso !== null && /\d/.test(trimmed) && !/t$/i.test(trimmed)) {
    return signed(iso[1], sum(iso.slice(2), [365 * DAY, 30 * DAY, WEEK, DAY, HOUR, MINUTE, 1]));
  }
  const clock = CLOCK.exec(trimmed);
  if (clock === null || !/\d/.test(trimmed)) return undefined;
  return signed(clock[1], sum(clock.slice(2), [DAY, HOUR, MINUTE, 1]));
}

function sum(amounts: readonly (string | undefined)[], seconds: readonly number[]): number {
  return seconds.reduce((total, unit, at) => total + unit * Number(amounts[at] ?? 0), 0);
}

function signed(sign: string | undefined, seconds: number): number {
  return sign === "-" ? -seconds : seconds;
}
