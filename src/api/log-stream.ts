import { subscribeToStream } from "./stream.ts";

import type { Subscription, SubscriptionOptions } from "./stream.ts";

export interface LogSubscriptionOptions extends SubscriptionOptions {
  readonly flowRunId: string;
  /** Called when the run, or one of its tasks, has written something. */
  readonly onNews: () => void;
}

/**
 * Is told over `/logs/out` when a run's log grows (3.5 and later; older servers refuse the socket). The lines themselves are read
 * with `/logs/filter`: only there they are complete and in order (prefect/server/api/logs.py).
 */
export function subscribeToLogs(options: LogSubscriptionOptions): Subscription {
  return subscribeToStream({
    ...options,
    path: "/logs/out",
    filter: () => ({ flow_run_id: { any_: [options.flowRunId] } }),
    onFrame(frame) {
      if (frame["type"] === "log") options.onNews();
    },
  });
}
