import { randomUUID } from "node:crypto";

import { addSeconds, timestampOf } from "../store/timestamp.ts";

import type { ServerContext } from "../context.ts";
import type { Reader, Transaction } from "../store/database.ts";

const NEVER = "9999-12-31T00:00:00.000000Z";

/** Takes slots of one limit; false when there are not enough. */
export function takeSlots(tx: Transaction, limitId: string, slots: number): boolean {
  return (
    tx.run(
      `UPDATE concurrency_limit_v2 SET active_slots = active_slots + ? WHERE id = ? AND active_slots + ? <= "limit"`,
      slots,
      limitId,
      slots,
    ) > 0
  );
}

export function returnSlots(tx: Transaction, limitId: string, slots: number): void {
  tx.run(
    "UPDATE concurrency_limit_v2 SET active_slots = max(0, active_slots - ?) WHERE id = ?",
    slots,
    limitId,
  );
}

/** Who has a lease: a run of a flow or a task. */
export interface LeaseHolder {
  readonly type: string;
  readonly id: string;
}

interface NewLease {
  readonly limitIds: readonly string[];
  readonly slots: number;
  readonly holder?: LeaseHolder | null;
}

/**
 * Returns the lease's id; whoever holds it renews it, or its slots are given back when it expires. `Infinity` seconds: it lives
 * until it is released.
 */
export function createLease(
  context: ServerContext,
  tx: Transaction,
  { limitIds, slots, holder }: NewLease,
  seconds: number,
): string {
  const id = randomUUID();
  const now = timestampOf(context.clock.now());
  tx.run(
    "INSERT INTO concurrency_lease (id, created, expiration, resource_ids, metadata) VALUES (?,?,?,?,?)",
    id,
    now,
    seconds === Infinity ? NEVER : addSeconds(now, seconds),
    JSON.stringify(limitIds),
    JSON.stringify({ slots, holder: holder ?? null }),
  );
  return id;
}

/** The leases of a limit whose holders are known, the oldest first. */
export function holdersOf(reader: Reader, limitId: string): (LeaseHolder & { readonly leaseId: string })[] {
  return reader
    .all<{ id: string; metadata: string }>(
      "SELECT id, metadata FROM concurrency_lease WHERE EXISTS (SELECT 1 FROM json_each(resource_ids) WHERE value = ?) ORDER BY created, rowid",
      limitId,
    )
    .flatMap(({ id: leaseId, metadata }) => {
      const { holder } = JSON.parse(metadata) as { holder?: LeaseHolder | null };
      return holder === undefined || holder === null ? [] : [{ ...holder, leaseId }];
    });
}

/** Ends all leases of a limit, and gives back the slots that they have of others. */
export function releaseLeasesOf(tx: Transaction, limitId: string): void {
  const leases = tx.all<{ id: string }>(
    "SELECT id FROM concurrency_lease WHERE EXISTS (SELECT 1 FROM json_each(resource_ids) WHERE value = ?)",
    limitId,
  );
  for (const { id } of leases) releaseLease(tx, id);
}

/** Lets a lease live until it is released. */
export function holdLease(tx: Transaction, leaseId: string): void {
  tx.run("UPDATE concurrency_lease SET expiration = ? WHERE id = ?", NEVER, leaseId);
}

/** Gives the slots of a lease back; false when there is no such lease (any more). */
export function releaseLease(tx: Transaction, leaseId: string): boolean {
  const lease = tx.get<{ resource_ids: string; metadata: string }>(
    "SELECT resource_ids, metadata FROM concurrency_lease WHERE id = ?",
    leaseId,
  );
  if (lease === undefined) return false;
  const { slots } = JSON.parse(lease.metadata) as { slots: number };
  for (const limitId of JSON.parse(lease.resource_ids) as string[]) returnSlots(tx, limitId, slots);
  tx.run("DELETE FROM concurrency_lease WHERE id = ?", leaseId);
  return true;
}

/** Lets a lease live for so long from now; false when there is no such lease. */
export function renewLease(
  context: ServerContext,
  tx: Transaction,
  leaseId: string,
  seconds: number,
): boolean {
  const expiration = addSeconds(timestampOf(context.clock.now()), seconds);
  return tx.run("UPDATE concurrency_lease SET expiration = ? WHERE id = ?", expiration, leaseId) > 0;
}
