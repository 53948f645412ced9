import { updateAutomation } from "../write.ts";
import { targetId } from "./inferred.ts";
import { asRequest, target } from "./outcome.ts";

import type { ServerContext } from "../../context.ts";
import type { Transaction } from "../../store/database.ts";
import type { Outcome } from "./outcome.ts";
import type { TriggeredAction } from "./triggered-action.ts";

export function pauseAutomation(
  context: ServerContext,
  tx: Transaction,
  triggered: TriggeredAction,
  paused: boolean,
): Outcome {
  const id = targetId(triggered, "automation");
  const related = [target("automation", id)];
  asRequest(triggered.type, { related }, () => updateAutomation(context, tx, id, { enabled: !paused }));
  return { related, details: { status_code: 204 } };
}
