import { COUNTABLES, TIME_UNITS, countEvents } from "../events/count.ts";
import { eventReply, firstPage, nextPage } from "../events/page.ts";
import { parseEvent, receiveEvents } from "../events/receive.ts";
import { integerOf, listBody, numberOf, objectBody, parseObject, wordOf } from "../http/body.ts";
import { ApiError, invalidRequest } from "../http/errors.ts";
import { timestampOf } from "../store/timestamp.ts";

import type { FastifyInstance, FastifyRequest } from "fastify";

import type { ServerContext } from "../context.ts";
import type { Reply } from "../http/reply.ts";

const MAX_PAGE = 50;
const MIN_INTERVAL = 0.01;

/** Events over HTTP (prefect/server/api/events.py). */
export function addEventRoutes(app: FastifyInstance, context: ServerContext): void {
  const { database, clock } = context;

  app.post("/events", async ({ body }, reply) => {
    const received = timestampOf(clock.now());
    const events = listBody(body).map((item, index) => {
      const location = ["body", index];
      return parseEvent(parseObject(item, location), received, location);
    });
    await database.write((tx) => receiveEvents(context, tx, events));
    return reply.status(204).send();
  });

  app.post("/events/filter", (request) => {
    const given = objectBody(request.body);
    const limit = integerOf(given, "limit", { min: 0, max: MAX_PAGE }) ?? MAX_PAGE;
    const filter = (given["filter"] ?? null) === null ? {} : parseObject(given["filter"], ["body", "filter"]);
    return pageReply(request, firstPage(database, filter, limit));
  });

  app.get<{ Querystring: { "page-token"?: string } }>("/events/filter/next", (request) => {
    const link = request.query["page-token"];
    if (link === undefined) throw invalidRequest(["query", "page-token"], "Field required");
    const token = Buffer.from(link, "base64").toString("utf8");
    if (token === "") throw new ApiError(403, "Forbidden");
    return pageReply(request, nextPage(database, token));
  });

  app.post<{ Params: { countable: string } }>("/events/count-by/:countable", ({ params, body }) => {
    const countable = wordOf(params, "countable", COUNTABLES, ["path"]);
    const given = objectBody(body);
    const filter = parseObject(given["filter"], ["body", "filter"]);
    return countEvents(
      database,
      filter,
      countable ?? "event",
      {
        unit: wordOf(given, "time_unit", TIME_UNITS) ?? "day",
        interval: numberOf(given, "time_interval", { min: MIN_INTERVAL }) ?? 1,
      },
      clock.now(),
    );
  });
}

/** A page with the address of the next one, in which the token is wrapped once more. */
function pageReply(request: FastifyRequest, page: ReturnType<typeof firstPage>): Reply {
  const { nextToken, total, events } = page;
  const base = `${request.protocol}://${request.host}/api/events/filter/next`;
  return {
    events: events.map((event) => eventReply(event)),
    total,
    next_page: nextToken === null ? null : `${base}?page-token=${Buffer.from(nextToken).toString("base64")}`,
  };
}
