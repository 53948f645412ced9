import { isJsonObject } from "../../json/value.ts";
import { textIn } from "../../json/object.ts";
import { parseJson } from "../../json/parse.ts";

import type { Resource } from "../events/event.ts";
import type { Reader } from "../store/database.ts";
import type { FlowRunRow } from "./row.ts";

interface RelatedRow {
  readonly flow_id: string;
  readonly flow_name: string;
  readonly flow_tags: string;
  readonly deployment_id: string | null;
  readonly deployment_name: string | null;
  readonly deployment_tags: string | null;
  readonly queue_id: string | null;
  readonly queue_name: string | null;
  readonly pool_id: string | null;
  readonly pool_name: string | null;
  readonly pool_type: string | null;
}

interface TaskRow {
  readonly id: string;
  readonly name: string;
  readonly tags: string;
}

type Run = Pick<
  FlowRunRow,
  "flow_id" | "deployment_id" | "work_queue_id" | "parent_task_run_id" | "tags" | "created_by"
>;

/**
 * The resources that a run's events name: its flow, deployment, work queue, work pool, the task run that it is a subflow of, the
 * tags of all of them, and who made it (prefect/server/models/events.py).
 */
export function relatedOf(reader: Reader, run: Run): Resource[] {
  const row = reader.get<RelatedRow>(
    `SELECT flow.id AS flow_id, flow.name AS flow_name, flow.tags AS flow_tags, d.id AS deployment_id, d.name AS deployment_name, d.tags AS deployment_tags,
       q.id AS queue_id, q.name AS queue_name, p.id AS pool_id, p.name AS pool_name, p.type AS pool_type
     FROM flow LEFT JOIN deployment d ON d.id = ? LEFT JOIN work_queue q ON q.id = ? LEFT JOIN work_pool p ON p.id = q.work_pool_id
     WHERE flow.id = ?`,
    run.deployment_id,
    run.work_queue_id,
    run.flow_id,
  );
  if (row === undefined) return [];
  const task =
    run.parent_task_run_id === null
      ? undefined
      : reader.get<TaskRow>("SELECT id, name, tags FROM task_run WHERE id = ?", run.parent_task_run_id);
  const related: Resource[] = [resource("flow", row.flow_id, row.flow_name)];
  if (row.deployment_id !== null)
    related.push(resource("deployment", row.deployment_id, row.deployment_name));
  if (row.queue_id !== null) related.push(resource("work-queue", row.queue_id, row.queue_name));
  if (row.pool_id !== null) {
    related.push({
      ...resource("work-pool", row.pool_id, row.pool_name),
      "prefect.work-pool.type": row.pool_type ?? "",
    });
  }
  if (task !== undefined) related.push(resource("task-run", task.id, task.name));
  for (const tag of tagsOf(run.tags, row.flow_tags, row.deployment_tags, task?.tags)) {
    related.push({ "prefect.resource.id": `prefect.tag.${tag}`, "prefect.resource.role": "tag" });
  }
  return [...related, ...creatorOf(run.created_by)];
}

/** Every tag once, sorted. A run mostly has those of its deployment: what is written alike is read once. */
function tagsOf(...columns: readonly (string | null | undefined)[]): string[] {
  const texts = new Set(columns);
  for (const none of ["[]", null, undefined]) texts.delete(none);
  if (texts.size === 0) return [];
  const tags = new Set([...texts].flatMap((text) => JSON.parse(text ?? "[]") as string[]));
  return [...tags].toSorted();
}

function creatorOf(createdBy: string | null): Resource[] {
  if (createdBy === null) return [];
  const creator = parseJson(createdBy);
  if (!isJsonObject(creator)) return [];
  const kind = { DEPLOYMENT: "deployment", AUTOMATION: "automation" }[textIn(creator, "type") ?? ""];
  if (kind === undefined) return [];
  const name = textIn(creator, "display_value") ?? "";
  return [
    {
      "prefect.resource.id": `prefect.${kind}.${textIn(creator, "id") ?? ""}`,
      "prefect.resource.role": "creator",
      ...(name === "" ? {} : { "prefect.resource.name": name }),
    },
  ];
}

function resource(kind: string, id: string, name: string | null): Resource {
  return {
    "prefect.resource.id": `prefect.${kind}.${id}`,
    "prefect.resource.role": kind,
    "prefect.resource.name": name ?? "",
  };
}
