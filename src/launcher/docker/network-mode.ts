import { ownValue } from "../../json/object.ts";

import type { JsonObject } from "../../json/value.ts";

/** What a job says of its container's networks. */
export interface Networking {
  readonly networks: readonly string[];
  readonly networkMode: string | null | undefined;
}

/** What decides about a container's way to the Prefect API. */
interface NetworkInputs extends Networking {
  /** `PREFECT_API_URL` as the container would get it. */
  readonly apiUrl: string | undefined;
}

/**
 * The network mode of a container (prefect_docker/worker.py: get_network_mode): the configured one; with an API on this machine
 * and no networks, `host` on Linux; else Docker's default, undefined.
 */
export function networkModeOf({ networks, networkMode, apiUrl }: NetworkInputs): string | undefined {
  if (networkMode !== null && networkMode !== undefined && networkMode !== "") return networkMode;
  if (networks.length > 0 || apiUrl === undefined || !URL.canParse(apiUrl)) return undefined;
  const { hostname } = new URL(apiUrl);
  const isLocal = hostname === "127.0.0.1" || hostname === "localhost";
  return isLocal && process.platform === "linux" ? "host" : undefined;
}

/** The networks of a resolved job configuration; what cannot be used is refused when the container is made. */
export function readNetworking(configuration: JsonObject): Networking {
  const networks = ownValue(configuration, "networks");
  const networkMode = ownValue(configuration, "network_mode");
  return {
    networks: Array.isArray(networks) ? networks.map(String) : [],
    networkMode: typeof networkMode === "string" ? networkMode : null,
  };
}

/** An API URL of this machine as a container reaches it, unless it shares this machine's network. */
export function apiUrlInContainer(apiUrl: string, networkMode: string | undefined): string {
  if (networkMode === "host") return apiUrl;
  return apiUrl
    .replaceAll("localhost", "host.docker.internal")
    .replaceAll("127.0.0.1", "host.docker.internal");
}

/** Whether the container may need the name `host.docker.internal`; Docker Desktop has it by itself (get_extra_hosts). */
export function needsHostName(apiUrl: string | undefined): boolean {
  if (process.platform !== "linux") return false;
  return apiUrl === undefined || /localhost|127\.0\.0\.1|host\.docker\.internal/.test(apiUrl);
}
