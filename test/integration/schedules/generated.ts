import type { Case } from "./comparison.ts";

export const ZONES = [
  "UTC",
  "Europe/Berlin",
  "America/New_York",
  "Australia/Lord_Howe",
  "Africa/Cairo",
  "Pacific/Chatham",
  "Asia/Kolkata",
  "America/St_Johns",
  "Africa/Casablanca",
];

/** Before, within and after changes of the clocks in those zones; the last but one in a repeated hour of Berlin. */
export const STARTS = [
  "2026-01-15T10:20:30Z",
  "2026-03-07T12:00:00Z",
  "2026-03-28T20:00:00Z",
  "2026-04-04T06:00:00Z",
  "2026-04-23T18:00:00Z",
  "2026-09-26T10:00:00Z",
  "2026-10-24T22:00:00Z",
  "2026-10-31T12:00:00Z",
  "2026-10-29T12:00:00.500Z",
  "2026-10-25T01:15:00Z",
  "2028-02-28T23:59:59Z",
];

const MONTHS = ["jan", "feb", "mar", "apr", "jun", "dec"];
const WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const RULE_WEEKDAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

/** Schedules of all kinds, the same ones for the same seed. */
export class Generator {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  cron(): Case {
    const minutes = this.#field(0, 59);
    const hours = this.#field(0, 23);
    let days = this.#field(1, 31);
    if (this.#chance(0.15)) days = this.#pick(["L", "?", `${days},L`]).replace("*,L", "L");
    let weekdays = this.#field(0, 7, WEEKDAYS);
    if (this.#chance(0.2))
      weekdays = this.#pick(["?", "1#2", "fri#1", "L5", "mon#1,fri#3", "5#5", "mon-wed#1", "7#2"]);
    const fields = [minutes, hours, days, this.#field(1, 12, MONTHS), weekdays];
    if (this.#chance(0.15)) fields.push(this.#field(0, 59));
    if (fields.length === 6 && this.#chance(0.4))
      fields.push(this.#pick(["*", "2027", "2026-2030", "2026/2", "*/5", "2025"]));
    return this.#case({ cron: fields.join(" "), day_or: this.#chance(0.7) });
  }

  interval(): Case {
    const interval = this.#pick([
      0.5, 1, 60, 777, 900, 3600, 5400, 43_200, 86_400, 90_000, 129_600, 172_800, 604_800,
    ]);
    const anchor_date = this.#pick([
      "2026-01-05T09:30:00Z",
      "2025-07-05T22:15:00+02:00",
      "2027-01-01T00:00:00Z",
    ]);
    return this.#case({ interval, anchor_date });
  }

  rule(): Case {
    const two = (value: number): string => String(value).padStart(2, "0");
    const day = `2026${two(this.#whole(1, 3))}${two(this.#whole(1, 28))}`;
    const start = `DTSTART:${day}T${two(this.#whole(0, 23))}${this.#pick(["0000", "1500", "3000"])}`;
    const lines = [start, `RRULE:${this.#parts()}`];
    if (this.#chance(0.1)) lines.push(`RRULE:${this.#parts()}`);
    if (this.#chance(0.1)) lines.push(`EXRULE:${this.#parts()}`);
    if (this.#chance(0.1)) lines.push("RDATE:20260601T093000,20261025T023000");
    if (this.#chance(0.1)) lines.push("EXDATE:20260401T090000,20261101T000000Z");
    return this.#case({ rrule: lines.join("\n") });
  }

  #parts(): string {
    const frequency = this.#pick(["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "DAILY", "HOURLY"]);
    const isLong = frequency === "YEARLY" || frequency === "MONTHLY";
    const parts = [`FREQ=${frequency}`];
    const add = (chance: number, name: string, value: () => string | number): void => {
      if (this.#chance(chance)) parts.push(`${name}=${value()}`);
    };
    add(0.5, "INTERVAL", () => this.#pick([1, 2, 3, 4, 5, 7, 13, 90]));
    add(0.15, "COUNT", () => this.#pick([3, 10, 50, 2000]));
    if (!parts.some((part) => part.startsWith("COUNT")))
      add(0.1, "UNTIL", () => this.#pick(["20261101T000000", "20270101", "20260329T023000"]));
    add(0.25, "BYMONTH", () => this.#some(upTo(1, 12), 3));
    add(0.25, "BYMONTHDAY", () => this.#some([...upTo(1, 31), ...upTo(-5, -1)], 3));
    add(0.35, "BYDAY", () => {
      const days = this.#some(RULE_WEEKDAYS, 4);
      const nth = (): string => String(this.#pick([1, 2, 3, -1, -2, 5]));
      return isLong && this.#chance(0.5) ? days.replaceAll(/[A-Z]+/g, (day) => nth() + day) : days;
    });
    add(0.1, "BYWEEKNO", () => this.#some([1, 2, 20, 52, 53, -1, -2], 2));
    add(0.08, "BYYEARDAY", () => this.#some([1, 60, 100, 200, 365, 366, -1, -100], 3));
    add(0.06, "BYEASTER", () => this.#some([0, 1, -2, 39, 49], 2));
    add(0.25, "BYHOUR", () => this.#some(upTo(0, 23), 3));
    add(0.2, "BYMINUTE", () => this.#some(upTo(0, 59), 3));
    add(0.15, "BYSECOND", () => this.#some(upTo(0, 59), 2));
    if (parts.length > 2) add(0.15, "BYSETPOS", () => this.#some([1, 2, -1, 3], 2));
    add(0.2, "WKST", () => this.#pick(RULE_WEEKDAYS));
    return parts.join(";");
  }

  #field(min: number, max: number, names?: readonly string[]): string {
    const value = (): string =>
      names !== undefined && this.#chance(0.3) ? this.#pick(names) : String(this.#whole(min, max));
    const item = (): string =>
      this.#pick([
        value,
        value,
        () => `${value()}-${value()}`,
        () => `${value()}-${value()}/${this.#whole(1, 6)}`,
        () => `*/${this.#whole(1, max + 3)}`,
        () => `${value()}/${this.#whole(1, 9)}`,
      ])();
    if (this.#chance(0.35)) return "*";
    return Array.from({ length: this.#chance(0.2) ? 2 : 1 }, item).join(",");
  }

  #case(schedule: Case["schedule"]): Case {
    return { schedule: { ...schedule, timezone: this.#pick(ZONES) }, start: this.#pick(STARTS) };
  }

  #next(): number {
    this.#state = (Math.imul(this.#state, 1_103_515_245) + 12_345) & 0x7f_ff_ff_ff;
    return this.#state / 0x80_00_00_00;
  }

  #chance(chance: number): boolean {
    return this.#next() < chance;
  }

  #whole(min: number, max: number): number {
    return min + Math.floor(this.#next() * (max - min + 1));
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#whole(0, items.length - 1)] as T;
  }

  #some(items: readonly (string | number)[], most: number): string {
    const count = this.#whole(1, most);
    return [...new Set(Array.from({ length: count }, () => this.#pick(items)))].join(",");
  }
}

function upTo(first: number, last: number): readonly number[] {
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
}
