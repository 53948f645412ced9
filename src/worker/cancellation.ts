import type { CallOptions } from "../api/http.ts";
import type { WorkerApi } from "./ports.ts";

/** Ids of the given runs that somebody wants cancelled (protocol §7.1); works on every version of the server. */
export async function findCancelling(
  api: Pick<WorkerApi, "filterFlowRuns">,
  flowRunIds: readonly string[],
  call: CallOptions,
): Promise<string[]> {
  if (flowRunIds.length === 0) return [];
  const runs = await api.filterFlowRuns(
    { flow_runs: { state: { type: { any_: ["CANCELLING"] } }, id: { any_: [...flowRunIds] } } },
    call,
  );
  return runs.map((run) => run.id);
}
