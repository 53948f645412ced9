import { randomUUID } from "node:crypto";

import { microsOf, timestampOfMicros } from "../store/timestamp.ts";
import { eventOfText, eventText } from "./firing.ts";

import type { ServerEvent } from "../events/event.ts";
import type { Reader, Transaction } from "../store/database.ts";
import type { EventTrigger } from "./trigger.ts";

/** A period in which the events of a trigger are counted, for one set of `for_each` values. Times are microseconds. */
export interface Bucket {
  readonly key: readonly string[];
  readonly start: number;
  readonly end: number;
  readonly count: number;
  readonly lastEvent: ServerEvent | null;
}

interface Row {
  readonly bucketing_key: string;
  readonly start: string;
  readonly end: string;
  readonly count: number;
  readonly last_event: string | null;
}

const OF_TRIGGER = "automation_id = ? AND trigger_id = ?";
const OF_KEY = `${OF_TRIGGER} AND bucketing_key = ?`;

/** The buckets of one automation's trigger, in the store (prefect: automation_bucket). */
export class Buckets {
  readonly #tx: Transaction;
  readonly #automationId: string;
  readonly #triggerId: string;

  constructor(tx: Transaction, automationId: string, { id }: Pick<EventTrigger, "id">) {
    this.#tx = tx;
    this.#automationId = automationId;
    this.#triggerId = id;
  }

  read(key: readonly string[]): Bucket | undefined {
    const row = this.#tx.get<Row>(
      `SELECT * FROM automation_bucket WHERE ${OF_KEY}`,
      this.#automationId,
      this.#triggerId,
      JSON.stringify(key),
    );
    return row === undefined ? undefined : bucketOf(row);
  }

  /** All of them, the oldest first. */
  all(): Bucket[] {
    return this.#tx
      .all<Row>(
        `SELECT * FROM automation_bucket WHERE ${OF_TRIGGER} ORDER BY start`,
        this.#automationId,
        this.#triggerId,
      )
      .map((row) => bucketOf(row));
  }

  /** Starts a bucket where there is none; of one that is there only the last event changes. */
  ensure(bucket: Bucket): Bucket {
    this.#write(bucket, "last_event = coalesce(excluded.last_event, last_event)");
    return this.read(bucket.key) ?? bucket;
  }

  /** Puts a bucket in the place of the one that is there. */
  replace(bucket: Bucket): Bucket {
    this.#write(
      bucket,
      'start = excluded.start, "end" = excluded."end", count = excluded.count, last_event = excluded.last_event',
    );
    return bucket;
  }

  remove(key: readonly string[]): void {
    this.#tx.run(
      `DELETE FROM automation_bucket WHERE ${OF_KEY}`,
      this.#automationId,
      this.#triggerId,
      JSON.stringify(key),
    );
  }

  /** Removes those that have seen enough events. */
  removeFull(threshold: number): void {
    this.#tx.run(
      `DELETE FROM automation_bucket WHERE ${OF_TRIGGER} AND count >= ?`,
      this.#automationId,
      this.#triggerId,
      threshold,
    );
  }

  #write({ key, start, end, count, lastEvent }: Bucket, onConflict: string): void {
    this.#tx.run(
      `INSERT INTO automation_bucket (id, automation_id, trigger_id, bucketing_key, start, "end", count, last_event) VALUES (?,?,?,?,?,?,?,?)
       ON CONFLICT (automation_id, trigger_id, bucketing_key) DO UPDATE SET ${onConflict}`,
      randomUUID(),
      this.#automationId,
      this.#triggerId,
      JSON.stringify(key),
      timestampOfMicros(start),
      timestampOfMicros(end),
      count,
      eventText(lastEvent),
    );
  }
}

/** Removes the buckets whose period is over since `before`: nothing will come of them. */
export function sweepBuckets(tx: Transaction, before: number): void {
  tx.run('DELETE FROM automation_bucket WHERE "end" <= ?', timestampOfMicros(before));
}

/** Whether there is any to sweep. */
export function hasOldBuckets(reader: Reader, before: number): boolean {
  return (
    reader.get('SELECT 1 FROM automation_bucket WHERE "end" <= ? LIMIT 1', timestampOfMicros(before)) !==
    undefined
  );
}

function bucketOf(row: Row): Bucket {
  return {
    key: JSON.parse(row.bucketing_key) as string[],
    start: microsOf(row.start),
    end: microsOf(row.end),
    count: row.count,
    lastEvent: eventOfText(row.last_event),
  };
}
