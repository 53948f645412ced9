import { jsonValue } from "../http/reply.ts";

import type { FastifyInstance } from "fastify";

/**
 * Automations are absent: none can be made (POST is a 404, as on a server that does not know them), so every list of them is
 * empty. Prefect's client asks for these lists when it deploys and inspects.
 */
export function addAutomationRoutes(app: FastifyInstance): void {
  app.post("/automations/filter", () => []);
  app.post("/automations/count", () => jsonValue(0));
  app.get("/automations/related-to/:resource", () => []);
  app.delete("/automations/owned-by/:resource", async (_request, reply) =>
    reply.status(202).send(jsonValue(null)),
  );
}
