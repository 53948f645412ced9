import { announceDeployment } from "./events.ts";

import type { ServerContext } from "../context.ts";
import type { SqlValue, Transaction } from "../store/database.ts";

/** Gives a status to those of some deployments that have another one, and emits `prefect.deployment.ready` or `.not-ready` for each. */
export function setDeploymentStatus(
  context: ServerContext,
  tx: Transaction,
  status: "READY" | "NOT_READY",
  where: string,
  ...values: readonly SqlValue[]
): void {
  const changing = tx.all<{ id: string }>(
    `SELECT id FROM deployment WHERE status <> ? AND ${where}`,
    status,
    ...values,
  );
  for (const { id } of changing) {
    tx.run("UPDATE deployment SET status = ? WHERE id = ?", status, id);
    announceDeployment(context, tx, id, status === "READY" ? "ready" : "not-ready");
  }
}
