import { integerOf, parseText, parseTexts, parseUuids, wordOf } from "../http/body.ts";
import { ApiError } from "../http/errors.ts";
import { STATE_TYPES } from "../runs/state.ts";
import {
  anyOf,
  booleanField,
  condition,
  filterBy,
  flag,
  idField,
  joined,
  tagsField,
  textField,
  timeField,
  wordField,
} from "./conditions.ts";

import type { JsonObject } from "../../json/value.ts";
import type { Reply } from "../http/reply.ts";
import type { Condition, Fields } from "./conditions.ts";

export type { Condition } from "./conditions.ts";

/** What a request filters; also the key of that filter in the requests of the others. */
export type Target =
  | "flows"
  | "flow_runs"
  | "task_runs"
  | "deployments"
  | "work_pools"
  | "work_pool_queues"
  | "work_queues";

const QUEUE_FIELDS: Fields = {
  id: idField("work_queue.id"),
  name: textField("work_queue.name"),
};

const FIELDS: Readonly<Record<Target, Fields>> = {
  flows: {
    id: idField("flow.id"),
    name: textField("flow.name"),
    tags: tagsField("flow.tags"),
    deployment: {
      is_null_: flag("NOT EXISTS (SELECT 1 FROM deployment WHERE deployment.flow_id = flow.id)"),
    },
  },
  flow_runs: {
    id: idField("flow_run.id"),
    name: textField("flow_run.name"),
    tags: tagsField("flow_run.tags"),
    deployment_id: idField("flow_run.deployment_id"),
    work_queue_name: textField("flow_run.work_queue_name"),
    flow_version: textField("flow_run.flow_version"),
    idempotency_key: textField("flow_run.idempotency_key"),
    parent_task_run_id: idField("flow_run.parent_task_run_id"),
    parent_flow_run_id: {
      any_: (value, location) => {
        const ids = parseUuids(value, location);
        const marks = ids.map(() => "?").join(",");
        return condition(
          `flow_run.parent_task_run_id IN (SELECT id FROM task_run WHERE flow_run_id IN (${marks}))`,
          ...ids,
        );
      },
    },
    start_time: timeField("flow_run.start_time"),
    end_time: timeField("flow_run.end_time"),
    expected_start_time: timeField("flow_run.expected_start_time"),
    next_scheduled_start_time: timeField("flow_run.next_scheduled_start_time"),
    state: stateField("flow_run"),
    created_by: {
      id_: anyOf("json_extract(flow_run.created_by, '$.id')", parseUuids),
      type_: anyOf("json_extract(flow_run.created_by, '$.type')", parseTexts),
      is_null_: flag("flow_run.created_by IS NULL"),
    },
  },
  task_runs: {
    id: idField("task_run.id"),
    name: textField("task_run.name"),
    tags: tagsField("task_run.tags"),
    flow_run_id: idField("task_run.flow_run_id"),
    start_time: timeField("task_run.start_time"),
    end_time: timeField("task_run.end_time"),
    expected_start_time: timeField("task_run.expected_start_time"),
    state: stateField("task_run"),
    subflow_runs: {
      exists_: flag("EXISTS (SELECT 1 FROM flow_run WHERE flow_run.parent_task_run_id = task_run.id)"),
    },
  },
  deployments: {
    id: idField("deployment.id"),
    name: textField("deployment.name"),
    tags: tagsField("deployment.tags"),
    paused: booleanField("deployment.paused"),
    work_queue_name: textField("deployment.work_queue_name"),
    flow_or_deployment_name: {
      like_: (value, location) => {
        const pattern = `%${parseText(value, location)}%`;
        return condition(
          "deployment.name LIKE ? OR deployment.flow_id IN (SELECT id FROM flow WHERE name LIKE ?)",
          pattern,
          pattern,
        );
      },
    },
    // Deprecated there: it filters nothing.
    concurrency_limit: { ge_: everything, le_: everything, is_null_: everything },
  },
  work_pools: {
    id: idField("work_pool.id"),
    name: textField("work_pool.name"),
    type: textField("work_pool.type"),
  },
  // Both names are in use.
  work_pool_queues: QUEUE_FIELDS,
  work_queues: QUEUE_FIELDS,
};

// How a row of one table leads to those of another: `filter` stands for the other's conditions.
const PATHS: Readonly<Record<Target, Partial<Record<Target, string>>>> = {
  flows: {
    flow_runs: "EXISTS (SELECT 1 FROM flow_run WHERE flow_run.flow_id = flow.id AND filter)",
    task_runs:
      "EXISTS (SELECT 1 FROM task_run JOIN flow_run fr ON fr.id = task_run.flow_run_id WHERE fr.flow_id = flow.id AND filter)",
    deployments: "EXISTS (SELECT 1 FROM deployment WHERE deployment.flow_id = flow.id AND filter)",
  },
  flow_runs: {
    flows: "flow_run.flow_id IN (SELECT id FROM flow WHERE filter)",
    task_runs: "EXISTS (SELECT 1 FROM task_run WHERE task_run.flow_run_id = flow_run.id AND filter)",
    deployments: "flow_run.deployment_id IN (SELECT id FROM deployment WHERE filter)",
    work_pools:
      "flow_run.work_queue_id IN (SELECT q.id FROM work_queue q JOIN work_pool ON work_pool.id = q.work_pool_id WHERE filter)",
    work_pool_queues: "flow_run.work_queue_id IN (SELECT id FROM work_queue WHERE filter)",
    work_queues: "flow_run.work_queue_id IN (SELECT id FROM work_queue WHERE filter)",
  },
  task_runs: {
    flow_runs: "task_run.flow_run_id IN (SELECT id FROM flow_run WHERE filter)",
    flows:
      "task_run.flow_run_id IN (SELECT fr.id FROM flow_run fr JOIN flow ON flow.id = fr.flow_id WHERE filter)",
    deployments:
      "task_run.flow_run_id IN (SELECT fr.id FROM flow_run fr JOIN deployment ON deployment.id = fr.deployment_id WHERE filter)",
  },
  deployments: {
    flows: "deployment.flow_id IN (SELECT id FROM flow WHERE filter)",
    flow_runs: "EXISTS (SELECT 1 FROM flow_run WHERE flow_run.deployment_id = deployment.id AND filter)",
    work_pools:
      "deployment.work_queue_id IN (SELECT q.id FROM work_queue q JOIN work_pool ON work_pool.id = q.work_pool_id WHERE filter)",
    work_pool_queues: "deployment.work_queue_id IN (SELECT id FROM work_queue WHERE filter)",
  },
  work_pools: {},
  work_pool_queues: {},
  work_queues: {},
};

/**
 * Prefect's filters of a request as one condition on the target's table, which goes by its own name in it
 * (prefect/server/schemas/filters.py). Throws a 422 for values of the wrong kind.
 */
export function compileFilters(target: Target, body: JsonObject): Condition {
  const conditions = filterBy(FIELDS[target], body[target], ["body", target]);
  for (const [other, path] of Object.entries(PATHS[target]) as [Target, string][]) {
    const inner = filterBy(FIELDS[other], body[other], ["body", other]);
    if (inner.length === 0) continue;
    const { sql, values } = joined(inner);
    conditions.push({ sql: path.replace("filter", () => sql), values });
  }
  return joined(conditions);
}

const MAX_LIMIT = 200;

interface Page {
  readonly limit: number;
  readonly offset: number;
}

/** `limit` of a request's list. Throws a 422 beyond 200. */
export function limitOf(body: JsonObject): number {
  const limit = integerOf(body, "limit") ?? MAX_LIMIT;
  if (limit < 0) throw new ApiError(422, "Invalid limit: must be greater than or equal to 0.");
  if (limit > MAX_LIMIT)
    throw new ApiError(422, `Invalid limit: must be less than or equal to ${MAX_LIMIT}.`);
  return limit;
}

/** `limit` and `offset` of a request. Throws a 422 for values that they cannot have. */
export function pageOf(body: JsonObject): Page {
  return { limit: limitOf(body), offset: integerOf(body, "offset", { min: 0 }) ?? 0 };
}

const SORTS: Readonly<Record<Target, Readonly<Record<string, string>>>> = {
  flows: {
    CREATED_DESC: "flow.created DESC",
    UPDATED_DESC: "flow.updated DESC",
    NAME_ASC: "flow.name",
    NAME_DESC: "flow.name DESC",
  },
  flow_runs: {
    ID_DESC: "flow_run.id DESC",
    START_TIME_ASC: "coalesce(flow_run.start_time, flow_run.expected_start_time)",
    START_TIME_DESC: "coalesce(flow_run.start_time, flow_run.expected_start_time) DESC",
    EXPECTED_START_TIME_ASC: "flow_run.expected_start_time",
    EXPECTED_START_TIME_DESC: "flow_run.expected_start_time DESC",
    NAME_ASC: "flow_run.name",
    NAME_DESC: "flow_run.name DESC",
    NEXT_SCHEDULED_START_TIME_ASC: "flow_run.next_scheduled_start_time",
    END_TIME_DESC: "flow_run.end_time DESC",
  },
  task_runs: {
    ID_DESC: "task_run.id DESC",
    EXPECTED_START_TIME_ASC: "task_run.expected_start_time",
    EXPECTED_START_TIME_DESC: "task_run.expected_start_time DESC",
    NAME_ASC: "task_run.name",
    NAME_DESC: "task_run.name DESC",
    NEXT_SCHEDULED_START_TIME_ASC: "task_run.next_scheduled_start_time",
    END_TIME_DESC: "task_run.end_time DESC",
  },
  deployments: {
    CREATED_DESC: "deployment.created DESC",
    UPDATED_DESC: "deployment.updated DESC",
    NAME_ASC: "deployment.name",
    NAME_DESC: "deployment.name DESC",
  },
  work_pools: {},
  work_pool_queues: {},
  work_queues: {},
};

const DEFAULT_SORTS: Readonly<Record<Target, string>> = {
  flows: "flow.name",
  flow_runs: "flow_run.id DESC",
  task_runs: "task_run.id DESC",
  deployments: "deployment.name",
  work_pools: "work_pool.name",
  work_pool_queues: "work_queue.priority",
  work_queues: "work_queue.priority",
};

/** WHERE, ORDER BY and LIMIT of a request's list, which may be narrowed further than the request says. */
export function clauseOf(target: Target, body: JsonObject, within?: Condition): Condition {
  return selectionOf(target, body, pageOf(body), within);
}

/** As {@link clauseOf}, with a page that is known. */
export function selectionOf(target: Target, body: JsonObject, page: Page, within?: Condition): Condition {
  const filter = compileFilters(target, body);
  const { sql, values } = within === undefined ? filter : joined([within, filter]);
  const order = orderOf(body, SORTS[target]) ?? DEFAULT_SORTS[target];
  return {
    sql: `WHERE ${sql} ORDER BY ${order} LIMIT ? OFFSET ?`,
    values: [...values, page.limit, page.offset],
  };
}

const MAX_BULK = 50;

/** How many objects a request changes at most. Throws a 422 beyond 50. */
export function bulkLimitOf(body: JsonObject): number {
  return integerOf(body, "limit", { min: 1, max: MAX_BULK }) ?? MAX_BULK;
}

/** The ORDER BY of a request's `sort` by a table of its words; undefined without one. Throws a 422 for another word. */
export function orderOf(body: JsonObject, orders: Readonly<Record<string, string>>): string | undefined {
  const words = Object.keys(orders);
  const word = words.length === 0 ? undefined : wordOf(body, "sort", words);
  return word === undefined ? undefined : orders[word];
}

// oxlint-disable-next-line typescript/consistent-type-definitions -- an interface is no Reply: it might get more members
type PageReply = {
  readonly results: Reply[];
  readonly count: number;
  readonly limit: number;
  readonly pages: number;
  readonly page: number;
};

/** A page of a list with its count, as `/paginate` answers. */
export function pageReply(body: JsonObject, count: number, read: (page: Page) => Reply[]): PageReply {
  const limit = limitOf(body);
  const page = integerOf(body, "page", { min: 1 }) ?? 1;
  return {
    results: read({ limit, offset: (page - 1) * limit }),
    count,
    limit,
    pages: limit > 0 ? Math.ceil(count / limit) : 0,
    page,
  };
}

function everything(): Condition {
  return condition("1");
}

function stateField(table: string): Fields {
  return {
    type: wordField(`${table}.state_type`, STATE_TYPES),
    name: textField(`${table}.state_name`),
  };
}
