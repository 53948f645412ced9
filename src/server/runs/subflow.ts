import { writeTaskRunState } from "../tasks/state.ts";
import { rowOfState } from "./state.ts";

import type { ServerContext } from "../context.ts";
import type { Transaction } from "../store/database.ts";
import type { ProposedState } from "./state.ts";

/** The task run that stands for a subflow in its parent takes on each state of the subflow (prefect: UpdateSubflowParentTask). */
export function followSubflow(
  context: ServerContext,
  tx: Transaction,
  taskRunId: string,
  flowRunId: string,
  proposed: ProposedState,
  timestamp: string,
): void {
  const state = rowOfState(proposed, timestamp, { task_run_id: taskRunId, child_flow_run_id: flowRunId });
  writeTaskRunState(context, tx, taskRunId, state);
}
