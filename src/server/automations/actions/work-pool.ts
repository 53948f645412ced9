import { changePool } from "../../pools/change.ts";
import { targetId } from "./inferred.ts";
import { ActionFailed, asRequest, target } from "./outcome.ts";

import type { ServerContext } from "../../context.ts";
import type { WorkPoolRow } from "../../pools/row.ts";
import type { Transaction } from "../../store/database.ts";
import type { Outcome } from "./outcome.ts";
import type { TriggeredAction } from "./triggered-action.ts";

export function pausePool(
  context: ServerContext,
  tx: Transaction,
  triggered: TriggeredAction,
  paused: boolean,
): Outcome {
  const id = targetId(triggered, "work-pool");
  const pool = tx.get<WorkPoolRow>("SELECT * FROM work_pool WHERE id = ?", id);
  if (pool === undefined) throw new ActionFailed(`Work pool ${id} not found`);
  const related = [target("work-pool", id, pool.name)];
  asRequest(triggered.type, { related }, () => changePool(context, tx, pool, { is_paused: paused }));
  return { related, details: { status_code: 204 } };
}
