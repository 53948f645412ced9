import { ApiError, call } from "./client.ts";

import type { FlowRun, JsonObject, RunState } from "./types.ts";

/** What a run is started with. */
export interface RunRequest {
  readonly parameters: JsonObject;
  readonly name?: string;
  readonly tags?: readonly string[];
  readonly job_variables?: JsonObject;
  /** ISO timestamp; now when absent. */
  readonly scheduledTime?: string;
}

export function runDeployment(id: string, { scheduledTime, ...request }: RunRequest): Promise<FlowRun> {
  const state =
    scheduledTime === undefined
      ? {}
      : {
          state: { type: "SCHEDULED", name: "Scheduled", state_details: { scheduled_time: scheduledTime } },
        };
  return call("POST", `/deployments/${id}/create_flow_run`, { ...request, ...state });
}

export function pausePool(name: string, isPaused: boolean): Promise<unknown> {
  return call("PATCH", `/work_pools/${encodeURIComponent(name)}`, { is_paused: isPaused });
}

export function pauseQueue(pool: string, queue: string, isPaused: boolean): Promise<unknown> {
  return call("PATCH", `/work_pools/${encodeURIComponent(pool)}/queues/${encodeURIComponent(queue)}`, {
    is_paused: isPaused,
  });
}

export function pauseDeployment(id: string, isPaused: boolean): Promise<unknown> {
  return call("POST", `/deployments/${id}/${isPaused ? "pause" : "resume"}_deployment`);
}

export function activateSchedule(deploymentId: string, id: string, isActive: boolean): Promise<unknown> {
  return call("PATCH", `/deployments/${deploymentId}/schedules/${id}`, { active: isActive });
}

/** As `prefect flow-run cancel`: a run that nobody has taken is CANCELLED at once, the others by their worker. */
export function cancelRun(id: string): Promise<void> {
  return setState(id, { type: "CANCELLING", name: "Cancelling", message: "Cancelled from the web page." }, [
    "CANCELLING",
    "CANCELLED",
  ]);
}

/** Puts a run that has ended back to its workers. */
export function retryRun(id: string): Promise<void> {
  const state = {
    type: "SCHEDULED",
    name: "AwaitingRetry",
    message: "Retried from the web page.",
    state_details: { scheduled_time: new Date().toISOString() },
  };
  return setState(id, state, ["SCHEDULED"], true);
}

export async function resumeRun(id: string, input?: JsonObject): Promise<void> {
  const answer = await call<Orchestration>(
    "POST",
    `/flow_runs/${id}/resume`,
    input === undefined ? {} : { run_input: input },
  );
  check(answer, ["RUNNING", "SCHEDULED"]);
}

export function deleteRun(id: string): Promise<unknown> {
  return call("DELETE", `/flow_runs/${id}`);
}

interface Orchestration {
  readonly status: string;
  readonly state: RunState | null;
  readonly details: { readonly reason?: string | null };
}

async function setState(
  id: string,
  state: object,
  wanted: readonly string[],
  isForced = false,
): Promise<void> {
  check(await call<Orchestration>("POST", `/flow_runs/${id}/set_state`, { state, force: isForced }), wanted);
}

// The server may answer with another state than the one proposed, and that be right.
function check({ status, state, details }: Orchestration, wanted: readonly string[]): void {
  if (state !== null && wanted.includes(state.type)) return;
  throw new ApiError(409, details.reason ?? `The server answered ${status}.`);
}
