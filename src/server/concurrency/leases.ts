import { randomUUID } from "node:crypto";

import { addSeconds, timestampOf } from "../store/timestamp.ts";

import type { ServerContext } from "../context.ts";
import type { Transaction } from "../store/database.ts";
import type { Slot } from "../runs/rules.ts";

interface DeploymentLimit {
  readonly id: string;
  readonly limit: number;
  readonly active: number;
  readonly concurrency_options: string | null;
}

/** Takes a slot of a deployment's limit, under a lease (prefect: SecureFlowConcurrencySlots). */
export function takeDeploymentSlot(
  context: ServerContext,
  tx: Transaction,
  deploymentId: string | null,
): Slot {
  if (deploymentId === null) return { kind: "none" };
  const limit = tx.get<DeploymentLimit>(
    `SELECT l.id, l."limit", l.active, d.concurrency_options FROM deployment d JOIN concurrency_limit_v2 l ON l.id = d.concurrency_limit_id WHERE d.id = ?`,
    deploymentId,
  );
  if (limit === undefined || limit.active === 0) return { kind: "none" };
  if (limit.limit === 0) return { kind: "closed" };
  const options = JSON.parse(limit.concurrency_options ?? "{}") as {
    collision_strategy?: string;
    grace_period_seconds?: number | null;
  };
  const { settings } = context;
  if (!takeSlots(tx, limit.id, 1)) {
    return {
      kind: "full",
      strategy: options.collision_strategy === "CANCEL_NEW" ? "CANCEL_NEW" : "ENQUEUE",
      waitSeconds: settings.deploymentConcurrencySlotWaitSeconds,
    };
  }
  const seconds = options.grace_period_seconds ?? settings.initialDeploymentLeaseDurationSeconds;
  return { kind: "lease", leaseId: createLease(context, tx, [limit.id], 1, seconds) };
}

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

/** Returns the lease's id; whoever holds it renews it, or its slots are given back when it expires. */
export function createLease(
  context: ServerContext,
  tx: Transaction,
  limitIds: readonly string[],
  slots: number,
  seconds: number,
): string {
  const id = randomUUID();
  const now = timestampOf(context.clock.now());
  tx.run(
    "INSERT INTO concurrency_lease (id, created, expiration, resource_ids, metadata) VALUES (?,?,?,?,?)",
    id,
    now,
    addSeconds(now, seconds),
    JSON.stringify(limitIds),
    JSON.stringify({ slots }),
  );
  return id;
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
