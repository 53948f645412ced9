import { textsOf } from "../http/body.ts";
import { invalidRequest } from "../http/errors.ts";
import { booleanField, condition, filterBy, joined, tagsField, textField, timeField } from "./conditions.ts";

import type { JsonObject } from "../../json/value.ts";
import type { Condition, FieldFilter } from "./conditions.ts";

export type { Condition } from "./conditions.ts";

/** What a request filters; also the key of that filter in the requests of the others. */
export type Target = "flows" | "flow_runs" | "task_runs" | "deployments" | "work_pools" | "work_pool_queues";

type Fields = Readonly<Record<string, FieldFilter>>;

const FIELDS: Readonly<Record<Target, Fields>> = {
  flows: {
    id: textField("flow.id"),
    name: textField("flow.name"),
    tags: tagsField("flow.tags"),
    deployment: nullness("EXISTS (SELECT 1 FROM deployment WHERE deployment.flow_id = flow.id)"),
  },
  flow_runs: {
    id: textField("flow_run.id"),
    name: textField("flow_run.name"),
    tags: tagsField("flow_run.tags"),
    deployment_id: textField("flow_run.deployment_id"),
    work_queue_name: textField("flow_run.work_queue_name"),
    work_queue_id: textField("flow_run.work_queue_id"),
    flow_version: textField("flow_run.flow_version"),
    idempotency_key: textField("flow_run.idempotency_key"),
    parent_task_run_id: textField("flow_run.parent_task_run_id"),
    parent_flow_run_id: (filter) => {
      const ids = textsOf(filter, "any_");
      if (ids === undefined) return [];
      const marks = ids.map(() => "?").join(",");
      return [
        condition(
          `flow_run.parent_task_run_id IN (SELECT id FROM task_run WHERE flow_run_id IN (${marks}))`,
          ...ids,
        ),
      ];
    },
    start_time: timeField("flow_run.start_time"),
    end_time: timeField("flow_run.end_time"),
    expected_start_time: timeField("flow_run.expected_start_time"),
    next_scheduled_start_time: timeField("flow_run.next_scheduled_start_time"),
    state: stateField("flow_run"),
  },
  task_runs: {
    id: textField("task_run.id"),
    name: textField("task_run.name"),
    tags: tagsField("task_run.tags"),
    flow_run_id: textField("task_run.flow_run_id"),
    start_time: timeField("task_run.start_time"),
    expected_start_time: timeField("task_run.expected_start_time"),
    state: stateField("task_run"),
    subflow_runs: ({ exists_: exists }) =>
      typeof exists === "boolean"
        ? [
            condition(
              `${exists ? "" : "NOT "}EXISTS (SELECT 1 FROM flow_run WHERE flow_run.parent_task_run_id = task_run.id)`,
            ),
          ]
        : [],
  },
  deployments: {
    id: textField("deployment.id"),
    name: textField("deployment.name"),
    tags: tagsField("deployment.tags"),
    paused: booleanField("deployment.paused"),
    work_queue_name: textField("deployment.work_queue_name"),
    work_queue_id: textField("deployment.work_queue_id"),
    flow_or_deployment_name: ({ like_: like }) =>
      typeof like === "string"
        ? [
            condition(
              "instr(lower(deployment.name), lower(?)) > 0 OR deployment.flow_id IN (SELECT id FROM flow WHERE instr(lower(name), lower(?)) > 0)",
              like,
              like,
            ),
          ]
        : [],
  },
  work_pools: {
    id: textField("work_pool.id"),
    name: textField("work_pool.name"),
    type: textField("work_pool.type"),
  },
  work_pool_queues: {
    id: textField("work_queue.id"),
    name: textField("work_queue.name"),
  },
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
  work_pool_queues: {
    work_pools: "work_queue.work_pool_id IN (SELECT id FROM work_pool WHERE filter)",
  },
};

/**
 * Prefect's filters of a request as one condition on the target's table, which goes by its own name in it
 * (prefect/server/schemas/filters.py). Throws a 422 for values of the wrong kind.
 */
export function compileFilters(target: Target, body: JsonObject): Condition {
  const conditions = filterBy(FIELDS[target], body[target]);
  for (const [other, path] of Object.entries(PATHS[target]) as [Target, string][]) {
    const inner = filterBy(FIELDS[other], body[other]);
    if (inner.length === 0) continue;
    const { sql, values } = joined(inner);
    conditions.push({ sql: path.replace("filter", () => sql), values });
  }
  return joined(conditions);
}

const MAX_LIMIT = 200;

/** `limit` and `offset` of a request. Throws a 422 beyond 200. */
export function pageOf({ limit, offset }: JsonObject): { readonly limit: number; readonly offset: number } {
  const count = limit === undefined || limit === null ? MAX_LIMIT : Number(limit);
  if (!Number.isInteger(count) || count < 0 || count > MAX_LIMIT) {
    throw invalidRequest(
      ["body", "limit"],
      `Invalid limit: must be less than or equal to ${MAX_LIMIT}.`,
      limit ?? null,
    );
  }
  const start = offset === undefined || offset === null ? 0 : Number(offset);
  if (!Number.isInteger(start) || start < 0) {
    throw invalidRequest(["body", "offset"], "Input should be greater than or equal to 0", offset ?? null);
  }
  return { limit: count, offset: start };
}

const SORTS: Partial<Record<Target, Readonly<Record<string, string>>>> = {
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
};

const DEFAULT_SORTS: Readonly<Record<Target, string>> = {
  flows: "flow.name",
  flow_runs: "flow_run.id DESC",
  task_runs: "task_run.id DESC",
  deployments: "deployment.name",
  work_pools: "work_pool.name",
  work_pool_queues: "work_queue.priority",
};

/** WHERE, ORDER BY and LIMIT of a request's list, which may be narrowed further than the request says. */
export function clauseOf(target: Target, body: JsonObject, within?: Condition): Condition {
  const filter = compileFilters(target, body);
  const { sql, values } = within === undefined ? filter : joined([within, filter]);
  const { limit, offset } = pageOf(body);
  const sort = body["sort"];
  const order = (typeof sort === "string" ? SORTS[target]?.[sort] : undefined) ?? DEFAULT_SORTS[target];
  return { sql: `WHERE ${sql} ORDER BY ${order} LIMIT ? OFFSET ?`, values: [...values, limit, offset] };
}

function stateField(table: string): FieldFilter {
  return (filter) =>
    filterBy({ type: textField(`${table}.state_type`), name: textField(`${table}.state_name`) }, filter);
}

function nullness(exists: string): FieldFilter {
  return ({ is_null_: isNull }) =>
    typeof isNull === "boolean" ? [condition(`${isNull ? "NOT " : ""}${exists}`)] : [];
}
