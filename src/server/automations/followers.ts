import { microsOf } from "../store/timestamp.ts";

import type { ServerEvent } from "../events/event.ts";
import type { Reader, Transaction } from "../store/database.ts";

/** How long an event waits for the one that it follows (prefect: PRECEDING_EVENT_LOOKBACK). */
const PATIENCE_MICROS = 15 * 60 * 1e6;

interface Waiting {
  readonly leaderId: string;
  /** Microseconds. */
  readonly received: number;
}

/**
 * Events that have come before the one that they follow (prefect/server/events/ordering). They are evaluated after it, or by
 * themselves when it has not come in a quarter of an hour. Kept in the store too: after a transaction that was undone they are
 * to be loaded again.
 */
export class Followers {
  readonly #waiting = new Map<string, Waiting>();
  readonly #byLeader = new Map<string, string[]>();

  load(reader: Reader): void {
    this.#waiting.clear();
    this.#byLeader.clear();
    const rows = reader.all<{ event_id: string; leader_id: string; received: string }>(
      "SELECT * FROM automation_follower ORDER BY received",
    );
    for (const row of rows)
      this.#add(row.event_id, { leaderId: row.leader_id, received: microsOf(row.received) });
  }

  /** Whether the event must wait for another one, which is not among those up to `position`; notes it then. */
  mustWait(
    tx: Transaction,
    event: ServerEvent,
    { position, now }: { readonly position: number; readonly now: number },
  ): boolean {
    const { id, follows, received } = event;
    if (follows === null || follows === id || now - microsOf(received) >= PATIENCE_MICROS) return false;
    const leader = tx.get<{ seq: number }>("SELECT seq FROM event WHERE id = ?", follows);
    if (leader !== undefined && leader.seq <= position) return false;
    tx.run(
      "INSERT OR REPLACE INTO automation_follower (event_id, leader_id, received) VALUES (?,?,?)",
      id,
      follows,
      received,
    );
    this.#add(id, { leaderId: follows, received: microsOf(received) });
    return true;
  }

  isAwaited(eventId: string): boolean {
    return this.#byLeader.has(eventId);
  }

  /** Ids of the events that wait for this one, in the order in which they came. */
  waitingFor(eventId: string): readonly string[] {
    return this.#byLeader.get(eventId) ?? [];
  }

  /** Ids of the events that have waited for long enough. */
  lost(now: number): string[] {
    return [...this.#waiting]
      .filter(([, { received }]) => now - received >= PATIENCE_MICROS)
      .map(([id]) => id);
  }

  forget(tx: Transaction, eventId: string): void {
    tx.run("DELETE FROM automation_follower WHERE event_id = ?", eventId);
    const leaderId = this.#waiting.get(eventId)?.leaderId ?? "";
    this.#waiting.delete(eventId);
    const others = this.waitingFor(leaderId).filter((id) => id !== eventId);
    if (others.length > 0) this.#byLeader.set(leaderId, others);
    else this.#byLeader.delete(leaderId);
  }

  #add(eventId: string, waiting: Waiting): void {
    this.#waiting.set(eventId, waiting);
    this.#byLeader.set(waiting.leaderId, [...this.waitingFor(waiting.leaderId), eventId]);
  }
}
