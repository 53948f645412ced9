import type { Resource } from "../events/event.ts";
import type { Reader } from "../store/database.ts";

interface RelatedRow {
  readonly flow_id: string;
  readonly flow_name: string;
  readonly deployment_id: string | null;
  readonly deployment_name: string | null;
  readonly queue_id: string | null;
  readonly queue_name: string | null;
  readonly pool_id: string | null;
  readonly pool_name: string | null;
  readonly pool_type: string | null;
}

interface Run {
  readonly flow_id: string;
  readonly deployment_id: string | null;
  readonly work_queue_id: string | null;
  readonly tags: string;
}

/** The resources that a run's events name: its flow, deployment, work queue, work pool and tags. */
export function relatedOf(reader: Reader, run: Run): Resource[] {
  const row = reader.get<RelatedRow>(
    `SELECT flow.id AS flow_id, flow.name AS flow_name, d.id AS deployment_id, d.name AS deployment_name,
       q.id AS queue_id, q.name AS queue_name, p.id AS pool_id, p.name AS pool_name, p.type AS pool_type
     FROM flow LEFT JOIN deployment d ON d.id = ? LEFT JOIN work_queue q ON q.id = ? LEFT JOIN work_pool p ON p.id = q.work_pool_id
     WHERE flow.id = ?`,
    run.deployment_id,
    run.work_queue_id,
    run.flow_id,
  );
  if (row === undefined) return [];
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
  for (const tag of JSON.parse(run.tags) as string[]) {
    related.push({ "prefect.resource.id": `prefect.tag.${tag}`, "prefect.resource.role": "tag" });
  }
  return related;
}

function resource(kind: string, id: string, name: string | null): Resource {
  return {
    "prefect.resource.id": `prefect.${kind}.${id}`,
    "prefect.resource.role": kind,
    "prefect.resource.name": name ?? "",
  };
}
