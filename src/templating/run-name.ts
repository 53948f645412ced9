import { isPythonTruthy, pythonStr } from "../json/python.ts";
import { applyValues, NOT_SET } from "./apply-values.ts";

import type { Json, JsonObject } from "../json/value.ts";
import type { ApplyValuesOptions } from "./apply-values.ts";

export interface NameContext {
  /** The flow as the API sends it; `{}` when unknown. */
  readonly flow: object;
  readonly flowRun: object;
  readonly env: ApplyValuesOptions["env"];
}

/**
 * The name of the infrastructure: the job configuration's `name` with `{{ ctx.flow.… }}` and `{{ ctx.flow_run.… }}` filled in, or
 * the flow run's own name when nothing is left (prefect/workers/base.py: prepare_for_flow_run).
 */
export function prepareName(name: Json | undefined, context: NameContext): string {
  // Typed shapes of API objects are no JsonObject to the compiler, though they came as JSON.
  const flow = context.flow as JsonObject;
  const flowRun = context.flowRun as JsonObject;
  const fallback = pythonStr(flowRun["name"] ?? "");
  if (!isPythonTruthy(name) || name === undefined) return fallback;
  const values = { ctx: { flow, flow_run: flowRun } };
  const filled = applyValues(name, values, { env: context.env });
  if (filled === NOT_SET) return pythonStr(name);
  return isPythonTruthy(filled) ? pythonStr(filled) : fallback;
}
