import { selectFlowRuns } from "../runs/row.ts";
import { addSeconds, timestampOf } from "../store/timestamp.ts";
import { setDeploymentStatus } from "./status.ts";

import type { ServerContext } from "../context.ts";
import type { Reply } from "../http/reply.ts";

export interface DeploymentPoll {
  readonly deploymentIds: readonly string[];
  readonly scheduledBefore: string | undefined;
  readonly limit: number;
}

// A deployment that was polled so short a time ago is not written again.
const POLL_NOTE_SECONDS = 5;

/** The runs of deployments that are to start, for a runner that serves those (`flow.serve()`); marks the deployments as ready. */
export async function pollDeployments(context: ServerContext, poll: DeploymentPoll): Promise<Reply[]> {
  const { database, clock } = context;
  const now = timestampOf(clock.now());
  const ids = JSON.stringify(poll.deploymentIds);
  const stale = database.all(
    "SELECT id FROM deployment WHERE id IN (SELECT value FROM json_each(?)) AND (status <> 'READY' OR coalesce(last_polled, '') < ?)",
    ids,
    addSeconds(now, -POLL_NOTE_SECONDS),
  );
  if (stale.length > 0) {
    await database.write((tx) => {
      setDeploymentStatus(context, tx, "READY", "id IN (SELECT value FROM json_each(?))", ids);
      tx.run("UPDATE deployment SET last_polled = ? WHERE id IN (SELECT value FROM json_each(?))", now, ids);
    });
  }
  return selectFlowRuns(
    database,
    `WHERE flow_run.deployment_id IN (SELECT value FROM json_each(?)) AND flow_run.state_type = 'SCHEDULED'
       AND flow_run.next_scheduled_start_time <= ? ORDER BY flow_run.next_scheduled_start_time, flow_run.seq LIMIT ?`,
    [ids, poll.scheduledBefore ?? "9999", poll.limit],
    clock.now(),
  );
}
