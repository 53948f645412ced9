import { systemClock } from "../lifecycle/clock.ts";
import { FlowRunLogShipper } from "../log/flow-run-logs.ts";

import type { Session } from "./session.ts";

/** Ships the logs of flow runs to the API as the settings say. */
export function createRunLogs({ config, client, logger, redactor }: Session): FlowRunLogShipper {
  const { enabled, batchIntervalMs, batchSize, maxLogSize } = config.logging.toApi;
  return new FlowRunLogShipper({
    send: (batch) => (enabled ? client.createLogs(batch) : Promise.resolve()),
    redactor,
    clock: systemClock,
    logger,
    batchIntervalMs,
    maxBatchBytes: Math.max(1, batchSize - maxLogSize),
    maxLogBytes: maxLogSize,
  });
}
