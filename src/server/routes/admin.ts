import { jsonValue } from "../http/reply.ts";

import type { FastifyInstance } from "fastify";

/** The version of Prefect's server whose answers these are; the engine refuses another major version (protocol §9.3). */
const PREFECT_VERSION = "3.8.8";

/** What clients ask of any server: version, health, storage defaults, CSRF (off, as by default in Prefect). */
export function addAdminRoutes(app: FastifyInstance): void {
  app.get("/health", () => jsonValue(true));
  app.get("/ready", () => ({ message: "OK" }));
  app.get("/hello", () => jsonValue("👋"));
  app.get("/admin/version", () => jsonValue(PREFECT_VERSION));
  app.get("/version", () => jsonValue(PREFECT_VERSION));
  app.get("/admin/storage", () => ({ default_result_storage_block_id: null }));
  app.get("/csrf-token", async (_request, reply) => {
    await reply.status(422).send({ detail: "CSRF protection is disabled." });
  });
}
