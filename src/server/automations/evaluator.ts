import { coerceError } from "../../errors.ts";
import { eventOf } from "../events/read.ts";
import { ClosedError } from "../store/database.ts";
import { timestampOfMicros } from "../store/timestamp.ts";
import { hasOldBuckets, sweepBuckets } from "./bucket.ts";
import { look, react } from "./evaluate.ts";
import { Followers } from "./followers.ts";
import { LoadedTriggers } from "./loaded-triggers.ts";

import type { ServerContext } from "../context.ts";
import type { ServerEvent } from "../events/event.ts";
import type { Reader, Transaction } from "../store/database.ts";
import type { Evaluation } from "./evaluation.ts";
import type { Interest } from "./loaded-triggers.ts";

const PAGE = 200;
/** Events that may be looked at again after a restart, as the place is written down only when something came of them. */
const MAX_UNWRITTEN = 5000;
/** A bucket whose period has been over for so long is of no more use (PREFECT_EVENTS_EXPIRED_BUCKET_BUFFER). */
const SWEEP_AFTER_MICROS = 60 * 1e6;
const CURSOR = "automations.cursor";

/**
 * Evaluates every event, in the order of the store and after its commit, against the triggers of the automations that are
 * enabled. What comes of a page of events (buckets, firings, the actions to do) and the place in the store are written in one
 * transaction: a server that is killed goes on where it was, and counts or fires nothing twice. Where no automation is enabled
 * it does nothing at all.
 */
export class Evaluator {
  readonly #context: ServerContext;
  readonly #onActions: () => void;
  readonly #followers = new Followers();
  readonly #nextLooks = new Map<string, number>();
  #loaded = LoadedTriggers.none;
  #cursor = 0;
  #writtenCursor = 0;
  #lastInstant = 0;
  #isWanted = false;
  #markCaughtUp: () => void = () => undefined;
  /** Resolved when the events from before the start are evaluated. */
  readonly #caughtUp = new Promise<void>((resolve) => {
    this.#markCaughtUp = resolve;
  });
  #running: Promise<void> | undefined;
  #unsubscribe: (() => void) | undefined;

  /** `onActions` is called when there may be actions to do. */
  constructor(context: ServerContext, onActions: () => void) {
    this.#context = context;
    this.#onActions = onActions;
  }

  /** Goes on where the last server stopped. */
  start(): void {
    const { database } = this.#context;
    this.#load();
    const row = database.get<{ value: string }>("SELECT value FROM configuration WHERE key = ?", CURSOR);
    this.#cursor = row === undefined ? lastSeq(database) : Number(row.value);
    this.#writtenCursor = this.#cursor;
    this.#followers.load(database);
    this.#wake();
  }

  /** Takes no more events; resolves when nothing is in hand. */
  async stop(): Promise<void> {
    this.#unsubscribe?.();
    this.#loaded = LoadedTriggers.none;
    this.#markCaughtUp();
    await this.#running;
  }

  /** To be called in each transaction that changes automations. Events from before are not evaluated against what is new. */
  changed(tx: Transaction): void {
    if (this.#loaded.isEmpty) this.#cursor = lastSeq(tx);
    this.#writeCursor(tx, this.#cursor);
    tx.afterCommit(() => {
      this.#load();
      this.#wake();
    });
  }

  /**
   * What is due without an event: absent events, events whose leader never came, old buckets. Returns the seconds until there
   * is more to do; undefined when nothing is planned.
   */
  async tick(): Promise<number | undefined> {
    const { database, clock } = this.#context;
    if (this.#loaded.isEmpty) return undefined;
    await this.#caughtUp;
    const now = clock.now() * 1000;
    const due = this.#loaded.proactive.filter(({ trigger }) => (this.#nextLooks.get(trigger.id) ?? 0) <= now);
    const lost = this.#followers.lost(now);
    const isBehind = this.#cursor - this.#writtenCursor >= MAX_UNWRITTEN;
    if (due.length > 0 || lost.length > 0 || isBehind || hasOldBuckets(database, now - SWEEP_AFTER_MICROS)) {
      await database.write((tx) => {
        for (const id of lost) {
          this.#followers.forget(tx, id);
          const event = findEvent(tx, id);
          if (event !== undefined) this.#evaluate(tx, event, this.#loaded.interestedIn(event));
        }
        for (const interest of due) {
          this.#nextLooks.set(
            interest.trigger.id,
            look(this.#evaluation(tx, interest), interest.trigger, now),
          );
        }
        sweepBuckets(tx, now - SWEEP_AFTER_MICROS);
        if (isBehind) this.#writeCursor(tx, this.#cursor);
      });
      this.#onActions();
    }
    const looks = this.#loaded.proactive.map(({ trigger }) => this.#nextLooks.get(trigger.id) ?? now);
    return looks.length === 0 ? undefined : Math.max(0, (Math.min(...looks) - clock.now() * 1000) / 1e6);
  }

  #load(): void {
    const { database, events } = this.#context;
    this.#loaded = LoadedTriggers.read(database);
    for (const id of this.#nextLooks.keys()) if (!this.#loaded.has(id)) this.#nextLooks.delete(id);
    if (this.#loaded.isEmpty) {
      this.#unsubscribe?.();
      this.#unsubscribe = undefined;
    } else this.#unsubscribe ??= events.subscribe(() => this.#wake());
  }

  #wake(): void {
    this.#isWanted = true;
    if (this.#running !== undefined || this.#loaded.isEmpty) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async #run(): Promise<void> {
    const { database, logger } = this.#context;
    while (this.#isWanted && !this.#loaded.isEmpty) {
      this.#isWanted = false;
      // What comes in one turn of the event loop is taken together.
      await new Promise((resolve) => setImmediate(resolve));
      const before = this.#cursor;
      try {
        while (await this.#takePage());
        this.#markCaughtUp();
      } catch (thrown) {
        if (thrown instanceof ClosedError) return;
        logger.error({ err: coerceError(thrown) }, "Events could not be evaluated; they will be tried again");
        this.#cursor = Math.max(before, this.#writtenCursor);
        this.#followers.load(database);
        return;
      }
    }
  }

  /** Evaluates the next events; false when there are none. */
  async #takePage(): Promise<boolean> {
    const { database } = this.#context;
    const rows = database.all<{ seq: number; id: string; event: string }>(
      "SELECT seq, id, event FROM event WHERE seq > ? ORDER BY seq LIMIT ?",
      this.#cursor,
      PAGE,
    );
    const last = rows.at(-1);
    const loaded = this.#loaded;
    if (last === undefined || loaded.isEmpty) return false;
    if (!rows.some(({ id, event }) => loaded.isNameOfInterest(event) || this.#followers.isAwaited(id))) {
      this.#cursor = last.seq;
      return true;
    }
    await database.write((tx) => {
      for (const { seq, id, event } of rows) {
        if (!loaded.isNameOfInterest(event) && !this.#followers.isAwaited(id)) continue;
        try {
          this.#take(tx, id, seq, loaded);
        } catch (thrown) {
          if (isDatabaseError(thrown)) throw thrown;
          // One event that cannot be evaluated must not hold up all others.
          this.#context.logger.error(
            { err: coerceError(thrown), event: id },
            "An event could not be evaluated",
          );
        }
      }
      // Within the transaction, so that a change of the automations that is committed with it sees it.
      this.#cursor = last.seq;
      this.#writeCursor(tx, last.seq);
    });
    this.#onActions();
    return true;
  }

  /** Evaluates an event, once the one that it follows is evaluated, and then those that have waited for it. */
  #take(tx: Transaction, id: string, position: number, loaded: LoadedTriggers): void {
    const event = findEvent(tx, id);
    if (event === undefined) return;
    const interests = loaded.interestedIn(event);
    if (interests.length > 0) {
      if (this.#followers.mustWait(tx, event, { position, now: this.#context.clock.now() * 1000 })) return;
      this.#evaluate(tx, event, interests);
    }
    for (const follower of this.#followers.waitingFor(id)) {
      this.#followers.forget(tx, follower);
      this.#take(tx, follower, position, loaded);
    }
  }

  #evaluate(tx: Transaction, event: ServerEvent, interests: readonly Interest[]): void {
    for (const interest of interests) {
      const { trigger } = interest;
      const bucket = react(this.#evaluation(tx, interest), trigger, event);
      if (bucket === undefined || trigger.posture !== "Proactive") continue;
      const next = this.#nextLooks.get(trigger.id);
      if (next !== undefined && bucket.end < next) this.#nextLooks.set(trigger.id, bucket.end);
    }
  }

  #evaluation(tx: Transaction, { automation }: Interest): Evaluation {
    return { context: this.#context, tx, automation, instant: () => this.#instant() };
  }

  #instant(): string {
    this.#lastInstant = Math.max(this.#context.clock.now() * 1000, this.#lastInstant + 1);
    return timestampOfMicros(Math.round(this.#lastInstant));
  }

  #writeCursor(tx: Transaction, cursor: number): void {
    tx.run(
      "INSERT INTO configuration (key, value) VALUES (?,?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
      CURSOR,
      String(cursor),
    );
    tx.afterCommit(() => {
      this.#writtenCursor = cursor;
    });
  }
}

function isDatabaseError(thrown: unknown): boolean {
  return typeof thrown === "object" && thrown !== null && "errcode" in thrown;
}

function lastSeq(reader: Reader): number {
  return reader.get<{ seq: number | null }>("SELECT max(seq) AS seq FROM event")?.seq ?? 0;
}

function findEvent(reader: Reader, id: string): ServerEvent | undefined {
  const row = reader.get("SELECT * FROM event WHERE id = ?", id);
  return row === undefined ? undefined : eventOf(row);
}
