import { byteSize } from "./byte-size.ts";
import { ATTEMPT_LABEL, AUTO_REMOVE_LABEL, dockerLabels } from "./container-labels.ts";
import { engineFields } from "./create-kwargs.ts";
import { needsHostName, networkModeOf } from "./network-mode.ts";

import type { ContainerBody } from "../../docker/containers.ts";
import type { ContainerSpec, LaunchSpec, Mount } from "../types.ts";
import type { DockerJob } from "./docker-job.ts";

export interface ContainerPlan {
  readonly body: ContainerBody;
  readonly platform: string | undefined;
  /** To be connected before the start; only one network can be given at the creation. */
  readonly furtherNetworks: readonly string[];
  readonly tty: boolean;
  /** What the user should know about the job. */
  readonly warnings: readonly string[];
}

/** Puts the request for an attempt's container together (protocol §3.6; prefect_docker/worker.py: _build_container_settings). */
export function planContainer(
  spec: Pick<LaunchSpec, "command" | "env"> & { readonly attempt: string },
  container: ContainerSpec,
  job: DockerJob,
): ContainerPlan {
  const { networks } = job;
  const apiUrl = spec.env["PREFECT_API_URL"];
  const networkMode = networkModeOf({ networks, networkMode: job.network_mode, apiUrl });
  const fields = engineFields(job.container_create_kwargs);
  const [network, ...furtherNetworks] = networks;
  const mode = network ?? networkMode ?? "default";
  const config = {
    ...fields.config,
    ...own(
      "WorkingDir",
      container.workingDirectory ?? (fields.config["WorkingDir"] === undefined ? job.working_dir : null),
    ),
    ...own("Entrypoint", container.entrypoint),
    ...own("User", container.user),
  };
  return {
    platform: fields.platform,
    furtherNetworks,
    tty: fields.config["Tty"] === true,
    warnings: warningsOf(fields.dropped),
    body: {
      AttachStdout: true,
      AttachStderr: true,
      ...config,
      Image: job.image,
      Cmd: spec.command,
      Env: Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
      Labels: {
        ...dockerLabels(container.labels),
        [ATTEMPT_LABEL]: spec.attempt,
        ...(job.auto_remove ? { [AUTO_REMOVE_LABEL]: "true" } : {}),
      },
      HostConfig: {
        ...fields.host,
        NetworkMode: mode,
        Binds: [...job.volumes, ...(container.mounts ?? []).map(bindOf)],
        ...own("ExtraHosts", mode.startsWith("container:") ? null : extraHosts(fields.extraHosts, apiUrl)),
        ...own("Memory", sizeOf(job.mem_limit, "mem_limit")),
        ...own("MemorySwap", sizeOf(job.memswap_limit, "memswap_limit")),
        ...(job.privileged ? { Privileged: true } : {}),
      },
      ...(network === undefined
        ? {}
        : { NetworkingConfig: { EndpointsConfig: { [network]: fields.networking[network] ?? {} } } }),
    },
  };
}

function own(field: string, value: unknown): Record<string, unknown> {
  return value === null || value === undefined ? {} : { [field]: value };
}

function sizeOf(value: string | number | null | undefined, name: string): number | null {
  return value === null || value === undefined ? null : byteSize(value, name);
}

function bindOf({ source, target, readOnly }: Mount): string {
  return `${source}:${target}${readOnly === true ? ":ro" : ""}`;
}

/** The user's own entries replace ours of the same name. */
function extraHosts(given: readonly string[], apiUrl: string | undefined): readonly string[] {
  const hosts = new Map<string, string>(
    needsHostName(apiUrl) ? [["host.docker.internal", "host-gateway"]] : [],
  );
  for (const entry of given) {
    const colon = entry.indexOf(":");
    if (colon !== -1) hosts.set(entry.slice(0, colon), entry.slice(colon + 1));
  }
  return [...hosts].map(([name, ip]) => `${name}:${ip}`);
}

function warningsOf(dropped: readonly string[]): readonly string[] {
  return dropped.length === 0
    ? []
    : [
        `container_create_kwargs is not the place for ${dropped.join(", ")}: use the job variable of that name`,
      ];
}
