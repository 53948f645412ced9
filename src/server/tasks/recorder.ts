import { textIn } from "../../json/object.ts";
import { stringifyJson } from "../../json/stringify.ts";
import { isJsonObject } from "../../json/value.ts";
import { isTerminal, rowOfState, stateOf } from "../runs/state.ts";
import { timestampOf } from "../store/timestamp.ts";
import { writeTaskRunState } from "./state.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { ServerEvent } from "../events/event.ts";
import type { StateType } from "../runs/state.ts";
import type { Transaction } from "../store/database.ts";

const PREFIX = "prefect.task-run.";

/**
 * Takes a task run and its state from an event of an engine, which reports them in no other way (protocol §9.3;
 * prefect/server/services/task_run_recorder.py). Events may come twice and out of order.
 */
export function recordTaskRun(context: ServerContext, tx: Transaction, event: ServerEvent): void {
  const { resource, payload } = event;
  const id = resource["prefect.resource.id"]?.slice(PREFIX.length);
  const taskRun = payload["task_run"];
  const validated = payload["validated_state"];
  if (
    resource["prefect.orchestration"] !== "client" ||
    id === undefined ||
    !isJsonObject(taskRun) ||
    !isJsonObject(validated)
  )
    return;
  const now = timestampOf(context.clock.now());
  const flowRunId = relatedId(event, "flow-run");
  tx.run(
    `INSERT INTO task_run (id, created, updated, name, flow_run_id, task_key, dynamic_key, cache_key, task_version, empirical_policy, tags, labels, task_inputs, flow_run_run_count)
     VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)
     ON CONFLICT (id) DO UPDATE SET name = excluded.name, task_inputs = excluded.task_inputs, tags = excluded.tags, flow_run_run_count = excluded.flow_run_run_count`,
    id,
    now,
    now,
    textIn(taskRun, "name") ?? resource["prefect.resource.name"] ?? "",
    flowRunId ?? null,
    textIn(taskRun, "task_key") ?? "",
    textIn(taskRun, "dynamic_key") ?? "",
    textIn(taskRun, "cache_key") ?? null,
    textIn(taskRun, "task_version") ?? null,
    jsonIn(taskRun, "empirical_policy", {}),
    jsonIn(taskRun, "tags", []),
    jsonIn(taskRun, "labels", {}),
    jsonIn(taskRun, "task_inputs", {}),
    Number(taskRun["flow_run_run_count"] ?? 0),
  );
  const type = validated["type"];
  if (typeof type !== "string") return;
  const state = stateOf(type as StateType, {
    name: textIn(validated, "name") ?? "",
    message: textIn(validated, "message") ?? null,
    data: validated["data"] ?? null,
    details: isJsonObject(validated["state_details"]) ? validated["state_details"] : {},
  });
  const row = rowOfState(state, event.occurred, {
    task_run_id: id,
    ...(flowRunId === undefined ? {} : { flow_run_id: flowRunId }),
  });
  // The event's id is the state's: one that comes again is the same state.
  writeTaskRunState(context, tx, id, { ...row, id: event.id });
  if (!isTerminal(type)) return;
  tx.run(
    "UPDATE task_run SET start_time = coalesce(?, start_time), end_time = coalesce(?, end_time), total_run_time = max(total_run_time, ?), run_count = max(run_count, ?) WHERE id = ?",
    textIn(taskRun, "start_time") ?? null,
    textIn(taskRun, "end_time") ?? null,
    Number(taskRun["total_run_time"] ?? 0),
    Number(taskRun["run_count"] ?? 0),
    id,
  );
}

function relatedId(event: ServerEvent, role: string): string | undefined {
  const found = event.related.find((resource) => resource["prefect.resource.role"] === role);
  return found?.["prefect.resource.id"]?.slice(`prefect.${role}.`.length);
}

function jsonIn(object: JsonObject, key: string, otherwise: Json): string {
  return stringifyJson(object[key] ?? otherwise);
}
