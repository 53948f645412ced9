import { part } from "../calls.ts";
import { decodeFlowRun } from "../decode.ts";
import { numberOf, objectIn, requiredText, textOf } from "../fields.ts";
import { filterAll, withJson } from "./resource.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { Caller } from "../calls.ts";
import type { CallOptions } from "../http.ts";
import type { FlowRun } from "../types.ts";
import type { WithJson } from "./resource.ts";

/** One line of a run's log. */
export interface LogLine {
  readonly id: string;
  readonly name: string;
  /** Python's: 20 is INFO. */
  readonly level: number;
  readonly message: string;
  readonly timestamp: string;
}

const decode = withJson(decodeFlowRun);
const decodeLog = withJson((value: Json): LogLine => {
  const object = objectIn(value, "log line");
  return {
    id: requiredText(object, "id"),
    name: textOf(object, "name") ?? "",
    level: numberOf(object, "level") ?? 0,
    message: textOf(object, "message") ?? "",
    timestamp: requiredText(object, "timestamp"),
  };
});

/** Runs that a filter chooses, the latest first; `filter` as in `POST /flow_runs/filter`. */
export function listFlowRuns(api: Caller, filter: JsonObject, limit: number): Promise<WithJson<FlowRun>[]> {
  return filterAll(api, "/flow_runs/filter", { sort: "EXPECTED_START_TIME_DESC", ...filter }, decode, limit);
}

/** Null when there is no such run. */
export function findFlowRun(
  api: Caller,
  id: string,
  options?: CallOptions,
): Promise<WithJson<FlowRun> | null> {
  return api.find({ method: "GET", path: `/flow_runs/${part(id)}` }, decode, options);
}

/** False when it was gone already. */
export function deleteFlowRun(api: Caller, id: string): Promise<boolean> {
  return api.tell({ method: "DELETE", path: `/flow_runs/${part(id)}`, accept: [404] });
}

export interface LogQuery {
  readonly flowRunId: string;
  readonly sort: "TIMESTAMP_ASC" | "TIMESTAMP_DESC";
  /** At most 200. */
  readonly limit: number;
  readonly offset: number;
  /** Only lines of this instant or later. */
  readonly after?: string | undefined;
}

/** One page of a run's log, that of its tasks included. */
export function readLogs(api: Caller, query: LogQuery, options?: CallOptions): Promise<WithJson<LogLine>[]> {
  const { flowRunId, sort, limit, offset, after } = query;
  const logs = {
    flow_run_id: { any_: [flowRunId] },
    ...(after === undefined ? {} : { timestamp: { after_: after } }),
  };
  return api.list(
    { method: "POST", path: "/logs/filter", body: { logs, sort, limit, offset } },
    decodeLog,
    options,
  );
}
