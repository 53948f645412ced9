import { readEvents } from "../events/read.ts";
import { parseEventFilter } from "../events/filter.ts";
import { parseEvent, receiveEvents } from "../events/receive.ts";
import { integerOf, objectBody, objectOf } from "../http/body.ts";
import { invalidRequest } from "../http/errors.ts";
import { timestampOf } from "../store/timestamp.ts";

import type { FastifyInstance } from "fastify";

import type { Json } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { Reply } from "../http/reply.ts";

const MAX_PAGE = 50;

/** Events over HTTP (prefect/server/api/events.py). */
export function addEventRoutes(app: FastifyInstance, context: ServerContext): void {
  const { database, clock } = context;

  app.post("/events", async ({ body }, reply) => {
    if (!Array.isArray(body)) throw invalidRequest(["body"], "Input should be a valid list");
    const received = timestampOf(clock.now());
    const events = (body as readonly Json[]).map((item) => {
      const event = parseEvent(objectBody(item), received);
      if (event === undefined)
        throw invalidRequest(["body"], "An event needs a name and a resource with an id", item);
      return event;
    });
    await database.write((tx) => receiveEvents(context, tx, events));
    return reply.status(204).send();
  });

  app.post("/events/filter", ({ body }) => {
    const given = objectBody(body);
    const filter = objectOf(given, "filter") ?? {};
    const limit = integerOf(given, "limit") ?? MAX_PAGE;
    if (limit < 0 || limit > MAX_PAGE)
      throw invalidRequest(["body", "limit"], `Input should be less than or equal to ${MAX_PAGE}`, limit);
    const events = readEvents(database, parseEventFilter(filter), {
      limit,
      order: filter["order"] === "ASC" ? "ASC" : "DESC",
    });
    return { events: events as unknown as Reply, total: events.length, next_page: null };
  });
}
