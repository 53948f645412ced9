/** Nanoseconds since the epoch of an RFC 3339 time as engines write them: in any zone, with up to nine decimals. Zero for no time. */
export function nanosecondsOf(time: string): bigint {
  const [, whole = "", fraction = "", zone = "Z"] =
    /^([^.]*?)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/.exec(time) ?? [];
  const seconds = Date.parse(`${whole}${zone}`) / 1000;
  return Number.isNaN(seconds) ? 0n : BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, "0"));
}
