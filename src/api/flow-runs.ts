import { randomUUID } from "node:crypto";

import { part } from "./calls.ts";
import { decodeFlowRun, decodeSetStateResult, decodeState } from "./decode.ts";

import type { JsonObject } from "../json/value.ts";
import type { Caller } from "./calls.ts";
import type { CallOptions } from "./http.ts";
import type { FlowRun, SetStateResult, State, StateProposal } from "./types.ts";

export interface FlowRunCalls {
  /** Null when the run does not exist (any more). */
  readFlowRun(id: string, options?: CallOptions): Promise<FlowRun | null>;
  /** `filter` is the body of `POST /flow_runs/filter`; a run that cannot be understood is dropped. */
  filterFlowRuns(filter: JsonObject, options?: CallOptions): Promise<FlowRun[]>;
  /** All states that a run has had, the oldest first. */
  readFlowRunStates(id: string, options?: CallOptions): Promise<State[]>;
  /**
   * Proposes a state (protocol §2.2). It is safe to repeat: each call carries a transition id, its own or the one in
   * `proposal.state_details`, under which the server writes at most once. WAIT is returned, not slept. Null when the run does
   * not exist.
   */
  setFlowRunState(
    id: string,
    proposal: StateProposal,
    options?: CallOptions & { readonly force?: boolean },
  ): Promise<SetStateResult | null>;
  /** False when the run does not exist. */
  updateFlowRun(id: string, patch: JsonObject, options?: CallOptions): Promise<boolean>;
  /** Adds labels to a run. False when the run does not exist, or the server knows no labels (before 3.1.2). */
  updateFlowRunLabels(
    id: string,
    labels: Readonly<Record<string, string>>,
    options?: CallOptions,
  ): Promise<boolean>;
  /** Creates a run of a deployment; `body` as in `POST /deployments/{id}/create_flow_run`. */
  createFlowRunFromDeployment(
    deploymentId: string,
    body: JsonObject,
    options?: CallOptions,
  ): Promise<FlowRun>;
}

export function createFlowRunCalls(caller: Caller): FlowRunCalls {
  return {
    readFlowRun(id, options) {
      return caller.find({ method: "GET", path: `/flow_runs/${part(id)}` }, decodeFlowRun, options);
    },

    filterFlowRuns(filter, options) {
      return caller.list({ method: "POST", path: "/flow_runs/filter", body: filter }, decodeFlowRun, options);
    },

    readFlowRunStates(id, options) {
      return caller.list(
        { method: "GET", path: `/flow_run_states/?flow_run_id=${part(id)}` },
        decodeState,
        options,
      );
    },

    setFlowRunState(id, proposal, options) {
      const details = { transition_id: randomUUID(), ...proposal.state_details, flow_run_id: id };
      return caller.find(
        {
          method: "POST",
          path: `/flow_runs/${part(id)}/set_state`,
          body: {
            state: {
              type: proposal.type,
              name: proposal.name,
              message: proposal.message ?? null,
              ...(proposal.data === undefined ? {} : { data: proposal.data }),
              state_details: details,
            },
            force: options?.force ?? false,
          },
        },
        decodeSetStateResult,
        options,
      );
    },

    updateFlowRun(id, patch, options) {
      return caller.tell(
        { method: "PATCH", path: `/flow_runs/${part(id)}`, body: patch, accept: [404] },
        options,
      );
    },

    updateFlowRunLabels(id, labels, options) {
      return caller.tell(
        { method: "PATCH", path: `/flow_runs/${part(id)}/labels`, body: labels, accept: [404, 405] },
        options,
      );
    },

    createFlowRunFromDeployment(deploymentId, body, options) {
      return caller.read(
        { method: "POST", path: `/deployments/${part(deploymentId)}/create_flow_run`, body },
        decodeFlowRun,
        options,
      );
    },
  };
}
