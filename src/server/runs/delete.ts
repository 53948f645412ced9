import { notFound } from "../http/errors.ts";
import { findFlowRun } from "./row.ts";
import { setFlowRunState } from "./set-state.ts";
import { stateOf } from "./state.ts";

import type { ServerContext } from "../context.ts";
import type { Transaction } from "../store/database.ts";

/** Deletes a run and all that belongs to it. Throws a 404. */
export function deleteFlowRun(context: ServerContext, tx: Transaction, id: string): void {
  const run = findFlowRun(tx, id);
  if (run === undefined) throw notFound("Flow run");
  // Ends it first, so that a slot it holds goes back.
  if (run.state_type === "PENDING" || run.state_type === "RUNNING" || run.state_type === "CANCELLING") {
    setFlowRunState(context, tx, id, stateOf("CANCELLED"), { policy: "forced" });
  }
  tx.run("DELETE FROM flow_run WHERE id = ?", id);
}
