import { createServer } from "node:http";

import { WorkerError } from "../errors.ts";

import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export interface HttpServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** By path, such as `/health`. They only look: nothing of the worker can be changed over HTTP. */
  readonly routes: Readonly<Record<string, (request: IncomingMessage) => Answer>>;
}

export interface HttpServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Serves the worker's pages to whoever can reach the port. Rejects with CONFIG_INVALID when the port is taken. */
export async function startHttpServer({ host, port, routes }: HttpServerOptions): Promise<HttpServer> {
  const server = createServer((request, response) => {
    const { status, contentType, body } = answerTo(request, routes);
    response.writeHead(status, {
      "content-type": contentType,
      "cache-control": "no-store",
      // The page needs its own styles, and nothing else from anywhere.
      "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
      "x-content-type-options": "nosniff",
      ...(status === 405 ? { allow: "GET, HEAD" } : {}),
    });
    response.end(request.method === "HEAD" ? undefined : body);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => {
      reject(
        new WorkerError(
          "CONFIG_INVALID",
          `The health server can't listen on ${host}:${port}: ${cause.message}`,
          { cause, hint: "Choose another port with --webserver-port or PREFECT_WORKER_WEBSERVER_PORT." },
        ),
      );
    });
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function jsonAnswer(status: number, body: unknown): Answer {
  return { status, contentType: "application/json", body: JSON.stringify(body) };
}

// The texts are FastAPI's, as those of Prefect's own health server (prefect/workers/server.py).
function answerTo(request: IncomingMessage, routes: HttpServerOptions["routes"]): Answer {
  const path = request.url?.split("?", 1)[0] ?? "/";
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
  if (route === undefined) return jsonAnswer(404, { detail: "Not Found" });
  if (request.method !== "GET" && request.method !== "HEAD")
    return jsonAnswer(405, { detail: "Method Not Allowed" });
  return route(request);
}
