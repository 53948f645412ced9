import { isPythonTruthy } from "../../json/python.ts";
import { stringifyJson } from "../../json/stringify.ts";

import type { JsonObject } from "../../json/value.ts";
import type { NativeStep, StepContext, StepOutcome } from "../types.ts";

/**
 * Runs a step once for the same inputs in one command: the deployments of a project share their builds, unless they say
 * `ignore_cache` (prefect_docker/deployments/steps.py: cacheable). What has failed is tried again.
 */
export async function once(
  kind: string,
  inputs: JsonObject,
  context: StepContext,
  run: NativeStep["run"],
): Promise<StepOutcome> {
  const { repeated } = context;
  const { ignore_cache: ignored, ...others } = inputs;
  if (repeated === undefined) return await run(inputs, context);
  const key = `${kind} ${stringifyJson(Object.fromEntries(Object.entries(others).toSorted(([a], [b]) => (a < b ? -1 : 1))))}`;
  const known = isPythonTruthy(ignored) ? undefined : repeated.get(key);
  if (known !== undefined) {
    context.log.info(`The same ${kind} has been done in this command: its result is used again`);
    return await known;
  }
  const running = run(inputs, context);
  repeated.set(key, running);
  running.catch(() => repeated.delete(key));
  return await running;
}
