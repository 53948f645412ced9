import { join } from "node:path";

import fastify from "fastify";

import { coerceError } from "../../errors.ts";
import { parseJson } from "../../json/parse.ts";
import { packageRoot } from "../../lifecycle/package-root.ts";
import { ClosedError, isConflict } from "../store/database.ts";
import { isAuthorized } from "./auth.ts";
import { ApiError, InvalidValueError, invalidRequest } from "./errors.ts";
import { addPage } from "./page.ts";
import { serializeReply } from "./reply.ts";

import type { FastifyInstance } from "fastify";

import type { ServerContext } from "../context.ts";
import type { Reply } from "./reply.ts";

/** Adds the endpoints of one noun, with their paths below `/api`. */
export type Routes = (app: FastifyInstance, context: ServerContext) => void;

const MAX_BODY_BYTES = 64 * 1024 * 1024;
const OPEN_PATHS: ReadonlySet<string> = new Set(["/api/health", "/api/ready"]);

/**
 * The HTTP side of the server: JSON that keeps Python's numbers, authentication, and errors in the shapes of Prefect's server.
 * A trailing slash makes no difference (Prefect redirects, its client follows).
 */
export function createApp(context: ServerContext, routes: readonly Routes[]): FastifyInstance {
  const app = fastify({
    bodyLimit: MAX_BODY_BYTES,
    forceCloseConnections: true,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 1000 },
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "string" }, (_request, body, done) => {
    const text = body.toString();
    if (text === "") return done(null, null);
    try {
      done(null, parseJson(text));
    } catch {
      done(invalidRequest(["body"], "JSON decode error", null));
    }
  });
  app.setReplySerializer((payload) => serializeReply(payload as Reply));
  app.addHook("onRequest", async (request, reply) => {
    const { authString } = context.settings;
    const [path = ""] = request.url.split("?", 1);
    if (authString === undefined || !path.startsWith("/api/") || OPEN_PATHS.has(path)) return;
    if (isAuthorized(request.headers.authorization, authString)) return;
    await reply.status(401).send({ exception_message: "Unauthorized" });
  });
  addPage(app, join(packageRoot, "dist", "page"));
  app.setErrorHandler((thrown, request, reply) => {
    const answer = answerFor(thrown);
    if (answer.status >= 500 && answer.status !== 503) {
      const error = coerceError(thrown);
      context.logger.error(
        { method: request.method, path: request.url, error: error.stack },
        "Request failed",
      );
    }
    return reply.status(answer.status).headers(answer.headers).send(answer.body);
  });
  void app.register(
    async (api) => {
      for (const add of routes) add(api, context);
    },
    { prefix: "/api" },
  );
  return app;
}

function answerFor(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  if (thrown instanceof InvalidValueError) return invalidRequest(["body"], thrown.message, thrown.input);
  if (thrown instanceof ClosedError) return new ApiError(503, { exception_message: "Service Unavailable" });
  if (isConflict(thrown)) return new ApiError(409, `Data integrity conflict: ${coerceError(thrown).message}`);
  const status =
    typeof thrown === "object" && thrown !== null && "statusCode" in thrown ? Number(thrown.statusCode) : 500;
  if (status >= 400 && status < 500) return new ApiError(status, coerceError(thrown).message);
  return new ApiError(500, { exception_message: "Internal Server Error" });
}
