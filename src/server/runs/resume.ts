import { randomUUID } from "node:crypto";

import { isPythonTruthy } from "../../json/python.ts";
import { stringifyJson } from "../../json/stringify.ts";
import { isJsonObject } from "../../json/value.ts";
import { hydrateInput, runInputFailure } from "../deployments/parameters.ts";
import { notFound } from "../http/errors.ts";
import { HydrationError } from "../schema-tools/hydrate.ts";
import { objectColumn } from "../store/json-column.ts";
import { timestampOf } from "../store/timestamp.ts";
import { findFlowRun, findState } from "./row.ts";
import { setFlowRunState } from "./set-state.ts";
import { stateOf } from "./state.ts";

import type { JsonObject } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { SchemaTools } from "../schema-tools/tools.ts";
import type { Transaction } from "../store/database.ts";
import type { Orchestration } from "./set-state.ts";
import type { StateRow } from "./state.ts";

/**
 * Lets a paused run go on, or a suspended one start anew. What it waits for (`wait_for_input`) is filled in, checked against the
 * schema that the run has left, and kept for the run (prefect/server/api/flow_runs.py, resume_flow_run). Throws a 404.
 */
export function resumeFlowRun(
  context: ServerContext,
  tx: Transaction,
  tools: SchemaTools,
  flowRunId: string,
  runInput: JsonObject | undefined,
): Orchestration {
  const run = findFlowRun(tx, flowRunId);
  if (run === undefined) throw notFound("Flow run");
  const current = findState(tx, run.state_id);
  if (current?.type !== "PAUSED")
    return refusal("ABORT", undefined, "Cannot resume a flow run that is not paused.");
  const details = objectColumn(current.state_details);
  const keyset = details["run_input_keyset"];
  let input: JsonObject | undefined;
  if (isJsonObject(keyset) && isPythonTruthy(keyset)) {
    try {
      input = hydrateInput(tx, tools, runInput ?? {});
    } catch (thrown) {
      if (!(thrown instanceof HydrationError)) throw thrown;
      return refusal("REJECT", current, `Error hydrating run input: ${thrown.message}`);
    }
    const failure = inputFailure(tx, tools, flowRunId, { key: keyset["schema"], input });
    if (failure !== undefined) return refusal("REJECT", current, failure);
  }
  const now = timestampOf(context.clock.now());
  const next =
    details["pause_reschedule"] === true
      ? stateOf("SCHEDULED", { name: "Resuming", details: { scheduled_time: now } })
      : stateOf("RUNNING");
  const outcome = setFlowRunState(context, tx, flowRunId, next);
  const key = isJsonObject(keyset) ? keyset["response"] : undefined;
  if (
    outcome.status === "ACCEPT" &&
    typeof key === "string" &&
    input !== undefined &&
    isPythonTruthy(input)
  ) {
    tx.run(
      "INSERT OR REPLACE INTO flow_run_input (id, created, updated, flow_run_id, key, value) VALUES (?,?,?,?,?,?)",
      randomUUID(),
      now,
      now,
      flowRunId,
      key,
      stringifyJson(input),
    );
  }
  return outcome;
}

function inputFailure(
  tx: Transaction,
  tools: SchemaTools,
  flowRunId: string,
  { key, input }: { readonly key: unknown; readonly input: JsonObject },
): string | undefined {
  const row =
    typeof key === "string"
      ? tx.get<{ value: string }>(
          "SELECT value FROM flow_run_input WHERE flow_run_id = ? AND key = ?",
          flowRunId,
          key,
        )
      : undefined;
  if (row === undefined) return "Run input schema not found.";
  return runInputFailure(tools, row.value, input);
}

function refusal(status: "ABORT" | "REJECT", state: StateRow | undefined, reason: string): Orchestration {
  return { status, state, reason, delaySeconds: undefined, isNew: false, detailsType: "abort_details" };
}
