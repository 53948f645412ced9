const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1000,
  sec: 1000,
  second: 1000,
  m: 60_000,
  min: 60_000,
  minute: 60_000,
  h: 3_600_000,
  hr: 3_600_000,
  hour: 3_600_000,
  d: 86_400_000,
  day: 86_400_000,
  w: 7 * 86_400_000,
  week: 7 * 86_400_000,
};

const PART = /^(\d+(?:\.\d+)?|an?)\s*([a-z]+?)s?(?:\s*(?:,|and)\s*|\s+|(?=\d)|$)/;

/** Milliseconds of a duration as people write it: `2 hours`, `1h30m`, `an hour and 30 minutes`; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  let rest = text.trim().toLowerCase();
  let total = 0;
  if (rest === "") return undefined;
  while (rest !== "") {
    const [matched, count, unit] = PART.exec(rest) ?? [];
    const ms = UNIT_MS[unit ?? ""];
    if (matched === undefined || ms === undefined) return undefined;
    total += (count?.startsWith("a") === true ? 1 : Number(count)) * ms;
    rest = rest.slice(matched.length);
  }
  return total;
}
