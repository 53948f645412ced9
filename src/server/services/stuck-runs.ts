import { setFlowRunState } from "../runs/set-state.ts";
import { stateOf } from "../runs/state.ts";
import { addSeconds, timestampOf } from "../store/timestamp.ts";

import type { Service } from "./service.ts";

/** Ends runs that nobody ends: CANCELLING for too long becomes CANCELLED (protocol §7.2), a pause that has expired FAILED. */
export const stuckRuns: Service = {
  name: "stuck runs",
  intervalSeconds: ({ settings }) =>
    Math.min(settings.cancellationCleanup.loopSeconds, settings.pauseExpirations.loopSeconds),
  async tick(context) {
    const { database, clock, settings } = context;
    const now = timestampOf(clock.now());
    const seconds = settings.cancellationCleanup.cancellingTimeoutSeconds;
    const cancelling = database.all<{ id: string }>(
      "SELECT id FROM flow_run WHERE state_type = 'CANCELLING' AND state_timestamp < ?",
      addSeconds(now, -seconds),
    );
    const paused = database.all<{ id: string }>(
      `SELECT flow_run.id FROM flow_run JOIN flow_run_state s ON s.id = flow_run.state_id
       WHERE flow_run.state_type = 'PAUSED' AND s.state_details ->> '$.pause_timeout' < ?`,
      now,
    );
    if (cancelling.length + paused.length === 0) return;
    await database.write((tx) => {
      const message = `The flow run was cancelling for more than ${seconds} s; nobody reported its end.`;
      for (const { id } of cancelling) setFlowRunState(context, tx, id, stateOf("CANCELLED", { message }));
      for (const { id } of paused) {
        setFlowRunState(
          context,
          tx,
          id,
          stateOf("FAILED", { message: "The flow was paused and never resumed." }),
        );
      }
    });
  },
};
