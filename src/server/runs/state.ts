import { v7 as uuidv7 } from "uuid";

import { isJsonObject } from "../../json/value.ts";
import { stringifyJson } from "../../json/stringify.ts";
import { invalidRequest } from "../http/errors.ts";
import { jsonText } from "../http/reply.ts";
import { parseTimestamp } from "../store/timestamp.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { Reply } from "../http/reply.ts";

export const STATE_TYPES = [
  "SCHEDULED",
  "PENDING",
  "RUNNING",
  "COMPLETED",
  "FAILED",
  "CANCELLED",
  "CRASHED",
  "PAUSED",
  "CANCELLING",
] as const;

export type StateType = (typeof STATE_TYPES)[number];

/** A row of flow_run_state or task_run_state. */
export interface StateRow {
  readonly id: string;
  readonly type: StateType;
  readonly name: string;
  readonly timestamp: string;
  readonly message: string | null;
  /** JSON text. */
  readonly state_details: string;
  /** JSON text. */
  readonly data: string | null;
}

/** A state that somebody wants a run to have; `details` are its `state_details`. */
export interface ProposedState {
  readonly type: StateType;
  readonly name: string;
  readonly message: string | null;
  readonly data: Json;
  readonly details: JsonObject;
  /** Absent: now. */
  readonly timestamp?: string;
}

const TERMINAL: ReadonlySet<string> = new Set(["COMPLETED", "FAILED", "CANCELLED", "CRASHED"]);

export function isTerminal(type: string | null | undefined): boolean {
  return type !== null && type !== undefined && TERMINAL.has(type);
}

/** A state as the server itself proposes it. */
export function stateOf(
  type: StateType,
  rest: {
    readonly name?: string;
    readonly message?: string | null;
    readonly data?: Json;
    readonly details?: JsonObject;
  } = {},
): ProposedState {
  return {
    type,
    name: rest.name ?? defaultName(type),
    message: rest.message ?? null,
    data: rest.data ?? null,
    details: rest.details ?? {},
  };
}

/** Reads a state of a request (prefect/server/schemas/actions.py, StateCreate). Throws the 422 of Prefect's server. */
export function parseState(
  json: Json | undefined,
  nowTimestamp: string,
  location = ["body", "state"],
): ProposedState {
  if (json === undefined) throw invalidRequest(location, "Field required");
  if (!isJsonObject(json)) throw invalidRequest(location, "Input should be a valid dictionary", json);
  const type = json["type"];
  if (type === undefined) throw invalidRequest([...location, "type"], "Field required");
  if (typeof type !== "string" || !(STATE_TYPES as readonly string[]).includes(type)) {
    throw invalidRequest([...location, "type"], `Input should be one of ${STATE_TYPES.join(", ")}`, type);
  }
  const { name, message, timestamp } = json;
  const given = json["state_details"];
  const details: JsonObject = { ...(isJsonObject(given) ? given : {}) };
  const scheduled = details["scheduled_time"];
  // A scheduled state without a time is due now.
  const time =
    typeof scheduled === "string" ? parseTimestamp(scheduled) : type === "SCHEDULED" ? nowTimestamp : null;
  const timeout = details["pause_timeout"];
  return {
    type: type as StateType,
    name: typeof name === "string" && name !== "" ? name : defaultName(type as StateType),
    message: typeof message === "string" ? message : null,
    data: json["data"] ?? null,
    details: {
      ...details,
      ...(time === null ? {} : { scheduled_time: time }),
      ...(typeof timeout === "string" ? { pause_timeout: parseTimestamp(timeout) } : {}),
    },
    ...(typeof timestamp === "string" ? { timestamp: parseTimestamp(timestamp) } : {}),
  };
}

// In the order of Prefect's StateDetails.
const NO_DETAILS: JsonObject = {
  flow_run_id: null,
  task_run_id: null,
  child_flow_run_id: null,
  scheduled_time: null,
  cache_key: null,
  cache_expiration: null,
  deferred: false,
  untrackable_result: false,
  pause_timeout: null,
  pause_reschedule: false,
  pause_key: null,
  run_input_keyset: null,
  refresh_cache: null,
  retriable: null,
  transition_id: null,
  task_parameters_id: null,
  traceparent: null,
  deployment_concurrency_lease_id: null,
};

/** The row to write for a state that was decided on. */
export function rowOfState(state: ProposedState, timestamp: string, ids: JsonObject): StateRow {
  return {
    id: uuidv7(),
    type: state.type,
    name: state.name,
    timestamp,
    message: state.message,
    state_details: stringifyJson({ ...NO_DETAILS, ...state.details, ...ids }),
    data: state.data === null ? null : stringifyJson(state.data),
  };
}

/** The data of a state as it is kept: a result that was not persisted is answered once, and then gone. */
export function storedData({ data }: StateRow): string | null {
  return data === UNPERSISTED ? null : data;
}

const UNPERSISTED = stringifyJson({ type: "unpersisted" });

/** The state as it goes out. */
export function stateReply(state: StateRow): Reply {
  return {
    id: state.id,
    type: state.type,
    name: state.name,
    timestamp: state.timestamp,
    message: state.message,
    data: jsonText(state.data),
    state_details: jsonText(state.state_details),
  };
}

/** Columns of a state that is joined to its run as `s`, for {@link joinedStateReply}. */
export const STATE_COLUMNS =
  "s.id AS s_id, s.type AS s_type, s.name AS s_name, s.timestamp AS s_timestamp, s.message AS s_message, s.state_details AS s_details, s.data AS s_data";

/** A row with {@link STATE_COLUMNS}; without a state `s_id` is null. */
export interface JoinedState {
  readonly s_id: string | null;
  readonly s_type: StateType;
  readonly s_name: string;
  readonly s_timestamp: string;
  readonly s_message: string | null;
  readonly s_details: string;
  readonly s_data: string | null;
}

/** The state of a run that was read with it. */
export function joinedStateReply(row: JoinedState): Reply {
  if (row.s_id === null) return null;
  return stateReply({
    id: row.s_id,
    type: row.s_type,
    name: row.s_name,
    timestamp: row.s_timestamp,
    message: row.s_message,
    state_details: row.s_details,
    data: row.s_data,
  });
}

function defaultName(type: StateType): string {
  return type.charAt(0) + type.slice(1).toLowerCase();
}
