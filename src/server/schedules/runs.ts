import { mergeObjects } from "../../json/object.ts";
import { parseJson } from "../../json/parse.ts";
import { SCHEDULE_CLASSES, readSchedule } from "../../schedules/schedule.ts";
import { createFlowRun } from "../runs/create.ts";
import { stateOf } from "../runs/state.ts";
import { objectColumn } from "../store/json-column.ts";
import { epochMsOf, timestampOf } from "../store/timestamp.ts";

import type { Schedule } from "../../schedules/schedule.ts";
import type { ServerContext } from "../context.ts";
import type { DeploymentRow } from "../deployments/row.ts";
import type { ServerSettings } from "../settings.ts";
import type { SqlValue, Transaction, Reader } from "../store/database.ts";

/** A deployment with one of its schedules. */
export interface ScheduledDeployment extends DeploymentRow {
  readonly schedule_id: string;
  readonly schedule_created: string;
  readonly schedule: string;
  readonly schedule_parameters: string;
  readonly slug: string | null;
}

/** How many runs of a schedule there shall be (prefect/server/models/deployments.py, _generate_scheduled_flow_runs). */
export interface RunWindow {
  readonly startMs: number;
  /** None after it. */
  readonly endMs: number;
  /** Enough are `minRuns` of which the last is so long after the start. */
  readonly minMs: number;
  readonly minRuns: number;
  readonly maxRuns: number;
}

export function defaultWindow({ scheduler }: ServerSettings, startMs: number): RunWindow {
  const { minRuns, maxRuns, minScheduledTimeSeconds, maxScheduledTimeSeconds } = scheduler;
  const endMs = startMs + maxScheduledTimeSeconds * 1000;
  return { startMs, endMs, minMs: minScheduledTimeSeconds * 1000, minRuns, maxRuns };
}

/** Active schedules with their deployments; `where` speaks of `d` and `s`. */
export function selectScheduled(
  reader: Reader,
  where: string,
  ...values: readonly SqlValue[]
): readonly ScheduledDeployment[] {
  return reader.all<ScheduledDeployment>(
    `SELECT d.*, s.id AS schedule_id, s.created AS schedule_created, s.schedule, s.parameters AS schedule_parameters, s.slug
     FROM deployment d JOIN deployment_schedule s ON s.deployment_id = d.id WHERE s.active = 1 AND ${where}`,
    ...values,
  );
}

/** Throws a ScheduleError for a schedule that an older version has kept and this one cannot read. */
export function scheduleIn({ schedule, schedule_created: created }: ScheduledDeployment): Schedule {
  return readSchedule(parseJson(schedule), { nowMs: epochMsOf(created) });
}

/** The instants of a schedule that a window asks for. */
export function datesOf(
  schedule: Schedule,
  { startMs, endMs, minMs, minRuns, maxRuns }: RunWindow,
): number[] {
  const dates: number[] = [];
  for (const instant of schedule.instants(startMs, endMs)) {
    dates.push(instant);
    const isEnough = dates.length >= minRuns && instant >= startMs + minMs;
    if (isEnough || dates.length >= maxRuns) break;
  }
  return dates;
}

/** Says of which deployment, schedule and instant a run is, so that it is made once. */
export function runKey({ id, schedule_id }: ScheduledDeployment, time: string): string {
  return `scheduled ${id} ${schedule_id} ${time}`;
}

/** Makes the runs of these instants that are not there yet. */
export function createScheduledRuns(
  context: ServerContext,
  tx: Transaction,
  deployment: ScheduledDeployment,
  { kind }: Schedule,
  times: readonly string[],
): void {
  for (const time of times) {
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
      idempotencyKey: runKey(deployment, time),
      isAutoScheduled: true,
      createdBy: {
        id: deployment.schedule_id,
        type: "SCHEDULE",
        display_value: deployment.slug ?? SCHEDULE_CLASSES[kind],
      },
      state: stateOf("SCHEDULED", { message: "Flow run scheduled", details: { scheduled_time: time } }),
    });
  }
}

/** Makes the runs of a deployment's active schedules within a window, also when it is paused; none for an unknown deployment. */
export function scheduleDeployment(
  context: ServerContext,
  tx: Transaction,
  deploymentId: string,
  window: RunWindow,
): void {
  for (const deployment of selectScheduled(tx, "d.id = ?", deploymentId)) {
    const schedule = scheduleIn(deployment);
    const times = datesOf(schedule, window).map((date) => timestampOf(date));
    createScheduledRuns(context, tx, deployment, schedule, times);
  }
}
