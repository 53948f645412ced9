import {
  countRows,
  filterBy,
  idField,
  joined,
  tagsField,
  textField,
  timeField,
} from "../filters/conditions.ts";
import { orderOf, pageOf } from "../filters/index.ts";
import { objectBody, pathUuid } from "../http/body.ts";
import { jsonValue } from "../http/reply.ts";
import { readAutomationPatch, readAutomationUpdate, readNewAutomation } from "../automations/read.ts";
import { automationReply, selectAutomations } from "../automations/row.ts";
import {
  automationsRelatedTo,
  checkActionVariables,
  createAutomation,
  deleteAutomation,
  deleteOwnedAutomations,
  getAutomation,
  updateAutomation,
} from "../automations/write.ts";

import type { FastifyInstance } from "fastify";

import type { JsonObject } from "../../json/value.ts";
import type { Checks } from "../automations/model.ts";
import type { ServerContext } from "../context.ts";
import type { SchemaTools } from "../schema-tools/tools.ts";
import type { Condition } from "../filters/conditions.ts";

interface IdParams {
  readonly id: string;
}

interface ResourceParams {
  readonly resource: string;
}

const FIELDS = {
  id: idField("automation.id"),
  name: textField("automation.name"),
  created: timeField("automation.created"),
  tags: tagsField("automation.tags"),
};

const SORTS: Readonly<Record<string, string>> = {
  CREATED_DESC: "automation.created DESC",
  UPDATED_DESC: "automation.updated DESC",
  NAME_ASC: "automation.name",
  NAME_DESC: "automation.name DESC",
};

/** Automations (prefect/server/api/automations.py). */
export function addAutomationRoutes(app: FastifyInstance, context: ServerContext): void {
  const { database } = context;

  app.post("/automations", async ({ body }, reply) => {
    const tools = await context.schemaTools();
    const automation = readNewAutomation(body, checksOf(tools));
    checkActionVariables(context, database, tools, automation);
    const row = await database.write((tx) => createAutomation(context, tx, automation));
    return reply.status(201).send(automationReply(row));
  });

  app.get<{ Params: IdParams }>("/automations/:id", ({ params }) =>
    automationReply(getAutomation(database, pathUuid(params.id))),
  );

  app.put<{ Params: IdParams }>("/automations/:id", async ({ params, body }, reply) => {
    const id = pathUuid(params.id);
    const tools = await context.schemaTools();
    const change = readAutomationUpdate(body, checksOf(tools));
    checkActionVariables(context, database, tools, change);
    await database.write((tx) => updateAutomation(context, tx, id, change));
    return reply.status(204).send();
  });

  app.patch<{ Params: IdParams }>("/automations/:id", async ({ params, body }, reply) => {
    const id = pathUuid(params.id);
    const change = readAutomationPatch(body);
    await database.write((tx) => updateAutomation(context, tx, id, change));
    return reply.status(204).send();
  });

  app.delete<{ Params: IdParams }>("/automations/:id", async ({ params }, reply) => {
    const id = pathUuid(params.id);
    await database.write((tx) => deleteAutomation(context, tx, id));
    return reply.status(204).send();
  });

  app.post("/automations/filter", ({ body }) => {
    const given = objectBody(body);
    const { sql, values } = filterOf(given);
    const { limit, offset } = pageOf(given);
    return selectAutomations(
      database,
      `WHERE ${sql} ORDER BY ${orderOf(given, SORTS) ?? "automation.name"} LIMIT ? OFFSET ?`,
      ...values,
      limit,
      offset,
    ).map((row) => automationReply(row));
  });

  app.post("/automations/count", ({ body }) =>
    jsonValue(countRows(database, "automation", filterOf(objectBody(body)))),
  );

  app.get<{ Params: ResourceParams }>("/automations/related-to/:resource", ({ params }) =>
    automationsRelatedTo(database, params.resource).map((row) => automationReply(row)),
  );

  app.delete<{ Params: ResourceParams }>("/automations/owned-by/:resource", async ({ params }, reply) => {
    await database.write((tx) => deleteOwnedAutomations(context, tx, params.resource));
    return reply.status(202).send(jsonValue(null));
  });
}

function checksOf({ templates }: SchemaTools): Checks {
  return { templateProblem: (template) => templates.problem(template) };
}

function filterOf(body: JsonObject): Condition {
  return joined(filterBy(FIELDS, body["automations"], ["body", "automations"]));
}
