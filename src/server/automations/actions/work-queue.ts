import { ApiError } from "../../http/errors.ts";
import { changeQueue } from "../../pools/change.ts";
import { targetId } from "./inferred.ts";
import { asRequest, target } from "./outcome.ts";

import type { ServerContext } from "../../context.ts";
import type { WorkQueueRow } from "../../pools/row.ts";
import type { Transaction } from "../../store/database.ts";
import type { Outcome } from "./outcome.ts";
import type { TriggeredAction } from "./triggered-action.ts";

export function pauseQueue(
  context: ServerContext,
  tx: Transaction,
  triggered: TriggeredAction,
  paused: boolean,
): Outcome {
  const id = targetId(triggered, "work-queue");
  const related = [target("work-queue", id)];
  asRequest(triggered.type, { related }, () => {
    const queue = tx.get<WorkQueueRow>("SELECT * FROM work_queue WHERE id = ?", id);
    if (queue === undefined) throw new ApiError(404, "Work Queue not found.");
    changeQueue(context, tx, queue, { is_paused: paused });
  });
  return { related, details: { status_code: 204 } };
}
