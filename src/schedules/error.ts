import { WorkerError } from "../errors.ts";

import type { Json } from "../json/value.ts";

/** The kinds of schedules, each named after the field that it cannot be without. */
export type ScheduleKind = "interval" | "cron" | "rrule";

/** A schedule that cannot be read: which field is wrong, why, and (the hint) what would be right. */
export class ScheduleError extends WorkerError {
  override readonly name = "ScheduleError";
  /** Undefined when the schedule as a whole is wrong. */
  readonly field: string | undefined;
  /** Of which kind the schedule is meant to be; undefined when that cannot be told. */
  readonly kind: ScheduleKind | undefined;
  /** The value that was given. */
  readonly input: Json;

  constructor(field: string | undefined, message: string, input: Json, hint: string, kind?: ScheduleKind) {
    super("SCHEDULE_INVALID", message, { hint });
    this.field = field;
    this.input = input;
    this.kind = kind;
  }

  /** The same, of a schedule of that kind. */
  of(kind: ScheduleKind): ScheduleError {
    return new ScheduleError(this.field, this.message, this.input, this.hint ?? "", kind);
  }
}
