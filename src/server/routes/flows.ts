import { randomUUID } from "node:crypto";

import { stringifyJson } from "../../json/stringify.ts";
import { countRows } from "../filters/conditions.ts";
import { bulkLimitOf, clauseOf, compileFilters, pageReply, selectionOf } from "../filters/index.ts";
import { objectBody, objectOf, pathUuid, requiredBody, requiredPlainName, textsOf } from "../http/body.ts";
import { notFound } from "../http/errors.ts";
import { jsonText, jsonValue } from "../http/reply.ts";
import { timestampOf } from "../store/timestamp.ts";

import type { FastifyInstance } from "fastify";

import type { ServerContext } from "../context.ts";
import type { Condition } from "../filters/conditions.ts";
import type { Reply } from "../http/reply.ts";

interface FlowRow {
  readonly id: string;
  readonly created: string;
  readonly updated: string;
  readonly name: string;
  readonly tags: string;
  readonly labels: string;
}

interface IdParams {
  readonly id: string;
}

/** Flows (prefect/server/api/flows.py). */
export function addFlowRoutes(app: FastifyInstance, context: ServerContext): void {
  const { database, clock } = context;

  app.post("/flows", async ({ body }, reply) => {
    const given = requiredBody(body);
    const name = requiredPlainName(given);
    const tags = stringifyJson([...(textsOf(given, "tags") ?? [])]);
    const labels = stringifyJson(objectOf(given, "labels") ?? {});
    const find = () => database.get<FlowRow>("SELECT * FROM flow WHERE name = ?", name);
    const known = find();
    if (known !== undefined) return flowReply(known);
    const now = timestampOf(clock.now());
    const added = await database.write((tx) =>
      tx.run(
        "INSERT OR IGNORE INTO flow (id, created, updated, name, tags, labels) VALUES (?,?,?,?,?,?)",
        randomUUID(),
        now,
        now,
        name,
        tags,
        labels,
      ),
    );
    const flow = find();
    if (flow === undefined) throw notFound("Flow");
    return reply.status(added > 0 ? 201 : 200).send(flowReply(flow));
  });

  app.get<{ Params: IdParams }>("/flows/:id", ({ params }) => {
    const flow = database.get<FlowRow>("SELECT * FROM flow WHERE id = ?", pathUuid(params.id));
    if (flow === undefined) throw notFound("Flow");
    return flowReply(flow);
  });

  app.get<{ Params: { name: string } }>("/flows/name/:name", ({ params }) => {
    const flow = database.get<FlowRow>("SELECT * FROM flow WHERE name = ?", params.name);
    if (flow === undefined) throw notFound("Flow");
    return flowReply(flow);
  });

  app.patch<{ Params: IdParams }>("/flows/:id", async ({ params, body }, reply) => {
    const tags = textsOf(requiredBody(body), "tags");
    const changed = await database.write((tx) =>
      tx.run(
        "UPDATE flow SET updated = ?, tags = coalesce(?, tags) WHERE id = ?",
        timestampOf(clock.now()),
        tags === undefined ? null : stringifyJson([...tags]),
        pathUuid(params.id),
      ),
    );
    if (changed === 0) throw notFound("Flow");
    return reply.status(204).send();
  });

  app.delete<{ Params: IdParams }>("/flows/:id", async ({ params }, reply) => {
    const gone = await database.write((tx) => tx.run("DELETE FROM flow WHERE id = ?", pathUuid(params.id)));
    if (gone === 0) throw notFound("Flow");
    return reply.status(204).send();
  });

  function select({ sql, values }: Condition): Reply[] {
    return database.all<FlowRow>(`SELECT flow.* FROM flow ${sql}`, ...values).map((flow) => flowReply(flow));
  }

  const count = (filter: Condition): number => countRows(database, "flow", filter);

  app.post("/flows/filter", ({ body }) => select(clauseOf("flows", objectBody(body))));

  app.post("/flows/count", ({ body }) => jsonValue(count(compileFilters("flows", objectBody(body)))));

  app.post("/flows/paginate", ({ body }) => {
    const given = objectBody(body);
    return pageReply(given, count(compileFilters("flows", given)), (page) =>
      select(selectionOf("flows", given, page)),
    );
  });

  app.post("/flows/bulk_delete", ({ body }) => {
    const { flows = null, ...given } = objectBody(body);
    const { sql, values } = selectionOf("flows", { flows }, { limit: bulkLimitOf(given), offset: 0 });
    return database.write((tx) => {
      const ids = tx.all<{ id: string }>(`SELECT flow.id FROM flow ${sql}`, ...values).map(({ id }) => id);
      for (const id of ids) tx.run("DELETE FROM flow WHERE id = ?", id);
      return { deleted: ids };
    });
  });
}

function flowReply(flow: FlowRow): Reply {
  return {
    id: flow.id,
    created: flow.created,
    updated: flow.updated,
    name: flow.name,
    tags: jsonText(flow.tags),
    labels: jsonText(flow.labels),
  };
}
