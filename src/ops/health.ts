import { createServer } from "node:http";

import { WorkerError } from "../errors.ts";

import type { AddressInfo } from "node:net";

export interface HealthOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** False while the worker seems stuck. */
  readonly isHealthy: () => boolean;
}

export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

const OK = { message: "OK" };
const STUCK = { message: "Worker may be unresponsive at this time" };

/** `GET /health` with the answers of Prefect's worker (protocol §1.6). Rejects with CONFIG_INVALID when the port is taken. */
export async function startHealthServer({ host, port, isHealthy }: HealthOptions): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const isKnown = request.url === "/health" && request.method === "GET";
    const status = isKnown ? (isHealthy() ? 200 : 503) : 404;
    const body = isKnown ? (status === 200 ? OK : STUCK) : { detail: "Not Found" };
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => {
      reject(
        new WorkerError(
          "CONFIG_INVALID",
          `The health server can't listen on ${host}:${port}: ${cause.message}`,
          {
            cause,
            hint: "Choose another port with PREFECT_WORKER_WEBSERVER_PORT.",
          },
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
