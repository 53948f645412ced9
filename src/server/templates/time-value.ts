import { microsOf } from "../store/timestamp.ts";
import { Callable, TemplateObject, textOfValue } from "./value.ts";

import type { Json } from "../../json/value.ts";
import type { Value } from "./value.ts";

const NAMES = { month: "long", weekday: "long" } as const;

/** An instant, with the texts of Python's datetime (UTC). */
export class TimeValue extends TemplateObject {
  readonly #timestamp: string;

  /** `timestamp` is in the stored form. */
  constructor(timestamp: string) {
    super();
    this.#timestamp = timestamp;
  }

  attribute(name: string): Value | undefined {
    const date = this.#date();
    switch (name) {
      case "year":
        return date.getUTCFullYear();
      case "month":
        return date.getUTCMonth() + 1;
      case "day":
        return date.getUTCDate();
      case "hour":
        return date.getUTCHours();
      case "minute":
        return date.getUTCMinutes();
      case "second":
        return date.getUTCSeconds();
      case "microsecond":
        return Number(this.#timestamp.slice(20, 26));
      case "isoformat":
        return new Callable(() => this.toText().replace(" ", "T"));
      case "timestamp":
        return new Callable(() => microsOf(this.#timestamp) / 1e6);
      case "strftime":
        return new Callable(([format = ""]) => this.#format(textOfValue(format)));
      default:
        return undefined;
    }
  }

  toJson(): Json {
    return this.#timestamp;
  }

  override toText(): string {
    const fraction = this.#timestamp.slice(20, 26);
    return `${this.#timestamp.slice(0, 19).replace("T", " ")}${fraction === "000000" ? "" : `.${fraction}`}+00:00`;
  }

  #date(): Date {
    return new Date(`${this.#timestamp.slice(0, 19)}Z`);
  }

  #format(format: string): string {
    const [year = "", month = "", day = ""] = this.#timestamp.slice(0, 10).split("-");
    const [hour = "", minute = "", second = ""] = this.#timestamp.slice(11, 19).split(":");
    const inEnglish = (part: keyof typeof NAMES): string =>
      new Intl.DateTimeFormat("en-US", { [part]: NAMES[part], timeZone: "UTC" }).format(this.#date());
    const parts: Readonly<Record<string, () => string>> = {
      Y: () => year,
      y: () => year.slice(2),
      m: () => month,
      d: () => day,
      H: () => hour,
      I: () => String(Number(hour) % 12 || 12).padStart(2, "0"),
      M: () => minute,
      S: () => second,
      f: () => this.#timestamp.slice(20, 26),
      p: () => (Number(hour) < 12 ? "AM" : "PM"),
      B: () => inEnglish("month"),
      b: () => inEnglish("month").slice(0, 3),
      A: () => inEnglish("weekday"),
      a: () => inEnglish("weekday").slice(0, 3),
      j: () => String(dayOfYear(this.#date())).padStart(3, "0"),
      F: () => `${year}-${month}-${day}`,
      T: () => `${hour}:${minute}:${second}`,
      Z: () => "UTC",
      z: () => "+0000",
      "%": () => "%",
    };
    return format.replaceAll(/%(.)/gs, (whole, letter: string) => parts[letter]?.() ?? whole);
  }
}

function dayOfYear(date: Date): number {
  const start = Date.UTC(date.getUTCFullYear(), 0, 1);
  return Math.floor((date.getTime() - start) / 86_400_000) + 1;
}
