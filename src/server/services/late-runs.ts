import { setFlowRunState } from "../runs/set-state.ts";
import { stateOf } from "../runs/state.ts";
import { addSeconds, timestampOf } from "../store/timestamp.ts";

import type { Service } from "./service.ts";

const BATCH = 100;

/** Names runs that nobody has taken in time "Late" (prefect/server/services/late_runs.py). */
export const lateRuns: Service = {
  name: "late runs",
  intervalSeconds: ({ settings }) => settings.lateRuns.loopSeconds,
  async tick(context) {
    const { database, clock, settings } = context;
    const due = addSeconds(timestampOf(clock.now()), -settings.lateRuns.afterSeconds);
    const late = database.all<{ id: string; next_scheduled_start_time: string }>(
      `SELECT id, next_scheduled_start_time FROM flow_run WHERE state_type = 'SCHEDULED' AND next_scheduled_start_time <= ? AND state_name = 'Scheduled' LIMIT ${BATCH}`,
      due,
    );
    if (late.length === 0) return undefined;
    await database.write((tx) => {
      for (const { id, next_scheduled_start_time: scheduled_time } of late) {
        const late = stateOf("SCHEDULED", { name: "Late", details: { scheduled_time } });
        setFlowRunState(context, tx, id, late, { policy: "late" });
      }
    });
    return late.length === BATCH ? 0 : undefined;
  },
};
