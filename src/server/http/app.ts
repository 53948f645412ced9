import { join } from "node:path";

import fastify from "fastify";

import { coerceError } from "../../errors.ts";
import { parseJson } from "../../json/parse.ts";
import { packageRoot } from "../../lifecycle/package-root.ts";
import { ClosedError, isConflict } from "../store/database.ts";
import { isAuthorized } from "./auth.ts";
import {
  ApiError,
  InvalidRequestError,
  InvalidValueError,
  integrityConflict,
  invalidRequest,
} from "./errors.ts";
import { isForeignRequest } from "./origin.ts";
import { addPage } from "./page.ts";
import { serializeReply } from "./reply.ts";
import { PathIndex } from "./paths.ts";

import type { FastifyInstance } from "fastify";

import type { Json } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { Reply } from "./reply.ts";

/** Adds the endpoints of one noun, with their paths below `/api`. */
export type Routes = (app: FastifyInstance, context: ServerContext) => void;

const MAX_BODY_BYTES = 64 * 1024 * 1024;
const FOREIGN = "A web page of another site may not call this server.";
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
      done(new ApiError(422, malformed(text)));
    }
  });
  app.setReplySerializer((payload) => serializeReply(payload as Reply));
  app.addHook("onRequest", async (request, reply) => {
    if (isForeignRequest(request.method, request.headers)) {
      return await reply.status(403).send({ exception_message: FOREIGN });
    }
    const { authString } = context.settings;
    const [path = ""] = request.url.split("?", 1);
    if (!path.startsWith("/api/") || OPEN_PATHS.has(path)) return;
    if (authString !== undefined && !isAuthorized(request.headers.authorization, authString)) {
      return await reply.status(401).send({ exception_message: "Unauthorized" });
    }
    const version = request.headers["x-prefect-api-version"];
    if (typeof version === "string" && version !== API_VERSION) refuseOldClient(version);
  });
  const paths = new PathIndex();
  app.addHook("onRoute", ({ url }) => paths.add(url));
  addPage(app, join(packageRoot, "dist", "page"), (path) =>
    paths.has(path) ? { status: 405, detail: "Method Not Allowed" } : { status: 404, detail: "Not Found" },
  );
  app.setErrorHandler((thrown, request, reply) => {
    const answer = answerFor(thrown);
    if ((answer.status >= 500 && answer.status !== 503) || isConflict(thrown)) {
      const error = coerceError(thrown);
      context.logger.error(
        { method: request.method, path: request.url, error: error.stack },
        "Request failed",
      );
    }
    const body =
      answer instanceof InvalidRequestError
        ? answer.bodyFor((request.body ?? null) as Json)
        : (answer.body as Reply);
    return reply.status(answer.status).headers(answer.headers).send(body);
  });
  void app.register(
    async (api) => {
      for (const add of routes) add(api, context);
    },
    { prefix: "/api" },
  );
  return app;
}

/** The versions of the API (not of Prefect) that Prefect 3.8.8 gives and at least demands; every 3.x client sends 0.8.4. */
export const API_VERSION = "0.8.4";
const OLDEST_API_VERSION = [0, 8, 0] as const;

function refuseOldClient(version: string): void {
  const parts = version.split(".").map(Number);
  if (parts.length !== 3 || parts.some((part) => !Number.isInteger(part))) {
    throw new ApiError(
      400,
      `Invalid X-PREFECT-API-VERSION header format.Expected header in format 'x.y.z' but received ${version}`,
    );
  }
  const decisive = OLDEST_API_VERSION.findIndex((oldest, index) => parts[index] !== oldest);
  if (decisive === -1 || (parts[decisive] ?? 0) > (OLDEST_API_VERSION[decisive] ?? 0)) return;
  throw new ApiError(
    400,
    `The request specified API version ${version} but this server requires version ${OLDEST_API_VERSION.join(".")} or higher.`,
  );
}

/** 422 for a body that is no JSON; like FastAPI it tells where the reader stopped. */
function malformed(text: string): { readonly [key: string]: Json } {
  let stopped = 0;
  try {
    JSON.parse(text);
  } catch (thrown) {
    stopped = Number(/position (\d+)/.exec(coerceError(thrown).message)?.[1] ?? text.length);
  }
  return {
    exception_message: "Invalid request received.",
    exception_detail: [{ type: "json_invalid", loc: ["body", stopped], msg: "JSON decode error", input: {} }],
    request_body: text,
  };
}

function answerFor(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  if (thrown instanceof InvalidValueError) return invalidRequest(["body"], thrown.message, thrown.input);
  if (thrown instanceof ClosedError) return new ApiError(503, { exception_message: "Service Unavailable" });
  if (isConflict(thrown)) return integrityConflict();
  const status =
    typeof thrown === "object" && thrown !== null && "statusCode" in thrown ? Number(thrown.statusCode) : 500;
  if (status >= 400 && status < 500) return new ApiError(status, coerceError(thrown).message);
  return new ApiError(500, { exception_message: "Internal Server Error" });
}
