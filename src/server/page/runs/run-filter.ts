import type { JsonObject } from "../api/types.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** The spans that one can choose, by their names in the address. */
export const RANGES = {
  "5m": 5 * MINUTE,
  "15m": 15 * MINUTE,
  "1h": HOUR,
  "6h": 6 * HOUR,
  "24h": 24 * HOUR,
  "7d": 7 * 24 * HOUR,
} as const;

export type Range = keyof typeof RANGES;

/** The groups of states that one can choose, and what they are for the API. */
const STATE_GROUPS = {
  scheduled: { types: ["SCHEDULED"], names: [] },
  late: { types: [], names: ["Late"] },
  pending: { types: ["PENDING"], names: [] },
  running: { types: ["RUNNING", "CANCELLING"], names: [] },
  paused: { types: ["PAUSED"], names: [] },
  completed: { types: ["COMPLETED"], names: [] },
  failed: { types: ["FAILED"], names: [] },
  crashed: { types: ["CRASHED"], names: [] },
  cancelled: { types: ["CANCELLED"], names: [] },
} as const;

export type StateGroup = keyof typeof STATE_GROUPS;

export const STATE_GROUP_NAMES = Object.keys(STATE_GROUPS) as readonly StateGroup[];

/** Which runs are shown; it stands in the address. */
export interface RunFilter {
  readonly range: Range;
  /** None: all. */
  readonly states: readonly StateGroup[];
  readonly flow: string | undefined;
  readonly deployment: string | undefined;
  /** Part of the run's name. */
  readonly text: string;
}

export const NO_FILTER: RunFilter = {
  range: "1h",
  states: [],
  flow: undefined,
  deployment: undefined,
  text: "",
};

/** Reads `?range=6h&state=failed,crashed&deployment=…&q=…`; what makes no sense is left out. */
export function filterOfQuery(query: string): RunFilter {
  const given = new URLSearchParams(query);
  const range = given.get("range") ?? "";
  return {
    range: Object.hasOwn(RANGES, range) ? (range as Range) : NO_FILTER.range,
    states: STATE_GROUP_NAMES.filter((name) => (given.get("state") ?? "").split(",").includes(name)),
    flow: given.get("flow") ?? undefined,
    deployment: given.get("deployment") ?? undefined,
    text: given.get("q") ?? "",
  };
}

/** The query for a filter; what is as usual is left out. */
export function queryOfFilter({ range, states, flow, deployment, text }: RunFilter): string {
  const query = new URLSearchParams();
  if (range !== NO_FILTER.range) query.set("range", range);
  if (states.length > 0) query.set("state", states.join(","));
  if (flow !== undefined) query.set("flow", flow);
  if (deployment !== undefined) query.set("deployment", deployment);
  if (text !== "") query.set("q", text);
  const whole = query.toString().replaceAll("%2C", ",");
  return whole === "" ? "" : `?${whole}`;
}

/** Prefect's filter for it, narrowed further by fields of a flow run's filter. */
export function apiFilterOf(filter: RunFilter, narrower: JsonObject = {}): JsonObject {
  const { states, flow, deployment, text } = filter;
  const types = states.flatMap((name) => STATE_GROUPS[name].types);
  const names = states.flatMap((name) => STATE_GROUPS[name].names);
  const state = {
    operator: "or_",
    ...(types.length > 0 ? { type: { any_: types } } : {}),
    ...(names.length > 0 ? { name: { any_: names } } : {}),
  };
  return {
    flow_runs: {
      ...(text === "" ? {} : { name: { like_: text } }),
      ...(states.length === 0 ? {} : { state }),
      ...narrower,
    },
    ...(flow === undefined ? {} : { flows: { id: { any_: [flow] } } }),
    ...(deployment === undefined ? {} : { deployments: { id: { any_: [deployment] } } }),
  };
}
