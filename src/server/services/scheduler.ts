import {
  createScheduledRuns,
  datesOf,
  defaultWindow,
  runKey,
  scheduleIn,
  selectScheduled,
} from "../schedules/runs.ts";
import { timestampOf } from "../store/timestamp.ts";

import type { Schedule } from "../../schedules/schedule.ts";
import type { ServerContext } from "../context.ts";
import type { ScheduledDeployment } from "../schedules/runs.ts";
import type { Service } from "./service.ts";

/**
 * Makes the runs of schedules ahead of their time (prefect/server/services/scheduler.py): at least `minRuns` and for
 * `minScheduledTimeSeconds`, at most `maxRuns` and for `maxScheduledTimeSeconds`. Making them again changes nothing: the
 * idempotency key names deployment, schedule and instant.
 */
export function createScheduler(): Service {
  const complained = new Set<string>();
  // Deployments that have changed since are looked at every few seconds, all of them once in a while.
  let lookedAtMs = -Infinity;
  let since = "";

  return {
    name: "scheduler",
    intervalSeconds: ({ settings }) => settings.scheduler.changesLoopSeconds,
    async tick(context) {
      const { database, clock, settings } = context;
      const nowMs = clock.now();
      const isFull = nowMs - lookedAtMs >= settings.scheduler.loopSeconds * 1000;
      const from = isFull ? "" : since;
      since = timestampOf(nowMs - 1000);
      if (isFull) lookedAtMs = nowMs;
      const window = defaultWindow(settings, nowMs);
      const due = selectScheduled(
        database,
        "d.paused = 0 AND (d.updated >= ? OR s.updated >= ?)",
        from,
        from,
      );
      for (const deployment of due) {
        try {
          const schedule = scheduleIn(deployment);
          await makeRuns(context, deployment, schedule, datesOf(schedule, window));
        } catch (thrown) {
          complain(context, deployment, thrown);
        }
      }
    },
  };

  /** Once per schedule, not at every tick. */
  function complain({ logger }: ServerContext, deployment: ScheduledDeployment, why: unknown): void {
    const { name, schedule_id, schedule } = deployment;
    if (complained.has(schedule_id)) return;
    complained.add(schedule_id);
    logger.warn({ deployment: name, schedule, err: why }, "No runs could be made from a schedule");
  }
}

async function makeRuns(
  context: ServerContext,
  deployment: ScheduledDeployment,
  schedule: Schedule,
  dates: readonly number[],
): Promise<void> {
  const { database } = context;
  const missing = dates
    .map((date) => timestampOf(date))
    .filter(
      (time) =>
        database.get(
          "SELECT 1 FROM flow_run WHERE flow_id = ? AND idempotency_key = ?",
          deployment.flow_id,
          runKey(deployment, time),
        ) === undefined,
    );
  if (missing.length === 0) return;
  await database.write((tx) => {
    // It may have been changed since it was read; the next tick sees it.
    const isSame = tx.get(
      "SELECT 1 FROM deployment d JOIN deployment_schedule s ON s.deployment_id = d.id WHERE s.id = ? AND s.active = 1 AND s.schedule = ? AND d.paused = 0 AND d.updated = ?",
      deployment.schedule_id,
      deployment.schedule,
      deployment.updated,
    );
    if (isSame !== undefined) createScheduledRuns(context, tx, deployment, schedule, missing);
  });
}
