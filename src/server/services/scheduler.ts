import { mergeObjects } from "../../json/object.ts";
import { parseJson } from "../../json/parse.ts";
import { createFlowRun } from "../runs/create.ts";
import { stateOf } from "../runs/state.ts";
import { readSchedule } from "../schedules/schedule.ts";
import { objectColumn } from "../store/json-column.ts";
import { timestampOf } from "../store/timestamp.ts";

import type { ServerContext } from "../context.ts";
import type { DeploymentRow } from "../deployments/row.ts";
import type { Service } from "./service.ts";

interface ScheduledDeployment extends DeploymentRow {
  readonly schedule_id: string;
  readonly schedule: string;
  readonly schedule_parameters: string;
  readonly slug: string | null;
}

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
      const due = database.all<ScheduledDeployment>(
        `SELECT d.*, s.id AS schedule_id, s.schedule, s.parameters AS schedule_parameters, s.slug FROM deployment d JOIN deployment_schedule s ON s.deployment_id = d.id
         WHERE d.paused = 0 AND s.active = 1 AND (d.updated >= ? OR s.updated >= ?)`,
        from,
        from,
      );
      for (const deployment of due) {
        const dates = await datesOf(context, deployment, nowMs).catch((thrown: unknown) => {
          complain(context, deployment, thrown);
          return [];
        });
        if (dates === undefined)
          complain(context, deployment, "rrule schedules are kept but not run by this server");
        else if (dates.length > 0) await makeRuns(context, deployment, dates);
      }
    },
  };

  /** Once per schedule, not at every tick. */
  function complain(
    { logger }: ServerContext,
    { name, schedule_id, schedule }: ScheduledDeployment,
    why: unknown,
  ): void {
    if (complained.has(schedule_id)) return;
    complained.add(schedule_id);
    logger.warn(
      { deployment: name, schedule, err: why },
      "No runs are made from a schedule that this server cannot run",
    );
  }
}

async function datesOf(
  { settings }: ServerContext,
  { schedule: text }: ScheduledDeployment,
  nowMs: number,
): Promise<number[] | undefined> {
  const { minRuns, maxRuns, minScheduledTimeSeconds, maxScheduledTimeSeconds } = settings.scheduler;
  const schedule = await readSchedule(parseJson(text));
  if (schedule === undefined) return undefined;
  const dates: number[] = [];
  for (const instant of schedule.instants(nowMs)) {
    if (instant > nowMs + maxScheduledTimeSeconds * 1000) break;
    dates.push(instant);
    const isEnough = dates.length >= minRuns && instant >= nowMs + minScheduledTimeSeconds * 1000;
    if (isEnough || dates.length >= maxRuns) break;
  }
  return dates;
}

async function makeRuns(
  context: ServerContext,
  deployment: ScheduledDeployment,
  dates: readonly number[],
): Promise<void> {
  const { database } = context;
  const key = (time: string): string => `scheduled ${deployment.id} ${deployment.schedule_id} ${time}`;
  const times = dates.map((date) => timestampOf(date));
  const missing = times.filter(
    (time) =>
      database.get(
        "SELECT 1 FROM flow_run WHERE flow_id = ? AND idempotency_key = ?",
        deployment.flow_id,
        key(time),
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
    if (isSame === undefined) return;
    for (const time of missing) {
      createFlowRun(context, tx, {
        flowId: deployment.flow_id,
        deploymentId: deployment.id,
        deploymentVersion: deployment.version,
        workQueueId: deployment.work_queue_id,
        workQueueName: deployment.work_queue_name,
        parameters: mergeObjects(
          objectColumn(deployment.parameters),
          objectColumn(deployment.schedule_parameters),
        ),
        tags: ["auto-scheduled", ...(JSON.parse(deployment.tags) as string[])],
        labels: objectColumn(deployment.labels),
        idempotencyKey: key(time),
        isAutoScheduled: true,
        createdBy: {
          id: deployment.schedule_id,
          type: "SCHEDULE",
          display_value:
            deployment.slug ?? (deployment.schedule.includes('"cron"') ? "CronSchedule" : "IntervalSchedule"),
        },
        state: stateOf("SCHEDULED", { message: "Flow run scheduled", details: { scheduled_time: time } }),
      });
    }
  });
}
