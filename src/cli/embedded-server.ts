import { isIP } from "node:net";

import { WorkerError } from "../errors.ts";

import type { Config } from "../config/config.ts";
import type { Logger } from "../log/logger.ts";
import type { RunningServer } from "../server/server.ts";

const PROBE_MS = 1000;

/** Starts the embedded server as the settings say. Throws a WorkerError when it would be open to others without a password. */
export async function startEmbeddedServer(
  { server, flows }: Pick<Config, "server" | "flows">,
  logger: Logger,
): Promise<RunningServer> {
  const { host, port, authString, dataDir, insecure, missedHeartbeats } = server;
  if (!isLoopback(host) && authString === undefined && !insecure) {
    throw new WorkerError(
      "CONFIG_INVALID",
      `The server would be open to everyone who can reach this machine: it is to listen on ${host} without a password`,
      {
        hint: "Set PREFECT_SERVER_API_AUTH_STRING=user:password, listen on 127.0.0.1, or give --insecure if the network is trusted.",
      },
    );
  }
  // It is only loaded where it is wanted: a worker of a real server stays small.
  const { DEFAULT_SERVER_SETTINGS, startServer } = await import("../server/server.ts");
  const zombies = {
    ...DEFAULT_SERVER_SETTINGS.zombies,
    missedHeartbeats,
    heartbeatSeconds: flows.heartbeatFrequencyMs / 1000,
  };
  return startServer({ settings: { host, port, authString, dataDirectory: dataDir, zombies }, logger });
}

/** The API's URL of a server that already runs on this machine where the embedded one would be; undefined when there is none. */
export async function findLocalServer({ server }: Pick<Config, "server">): Promise<string | undefined> {
  if (server.port === 0) return undefined;
  const apiUrl = localApiUrl({ server });
  try {
    const answer = await fetch(`${apiUrl}/health`, { signal: AbortSignal.timeout(PROBE_MS) });
    return answer.ok && (await answer.text()).trim() === "true" ? apiUrl : undefined;
  } catch {
    return undefined;
  }
}

/** Where the API of the embedded server is on this machine. */
export function localApiUrl({ server }: Pick<Config, "server">): string {
  const host = server.host === "0.0.0.0" || server.host === "::" ? "127.0.0.1" : server.host;
  return `http://${isIP(host) === 6 ? `[${host}]` : host}:${server.port}/api`;
}

/** The environment in which a proxy, should there be one, is not asked for addresses of this machine. */
export function reachDirectly(
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | undefined>> {
  const isProxied = Object.keys(env).some((name) => /^(?:https?|all)_proxy$/i.test(name));
  if (!isProxied) return env;
  const exceptions = [env["no_proxy"] ?? env["NO_PROXY"] ?? "", "127.0.0.1", "localhost"];
  const list = exceptions.filter((item) => item !== "").join(",");
  return { ...env, no_proxy: list, NO_PROXY: list };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}
