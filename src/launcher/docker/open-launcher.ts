import { coerceError } from "../../errors.ts";
import { textIn } from "../../json/object.ts";
import { readEngine } from "../../docker/containers.ts";
import { findEngine } from "../../docker/engine-address.ts";
import { DockerEngine } from "../../docker/engine.ts";
import { createDockerLauncher } from "./docker-launcher.ts";

import type { DockerEnvironment } from "../../docker/docker-config.ts";
import type { Clock } from "../../lifecycle/clock.ts";
import type { Logger } from "../../log/logger.ts";
import type { Launcher } from "../types.ts";

export interface OpenDockerLauncherOptions {
  /** The worker's environment: says where the engine is. */
  readonly env: DockerEnvironment;
  readonly cwd: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called when containers can be started again after an outage of the engine. */
  readonly onBack?: () => void;
}

/**
 * Finds the engine and gives its launcher. An engine that does not answer yet is only told of: it may be started later.
 * Throws CONFIG_INVALID for an address that cannot be used.
 */
export function openDockerLauncher(options: OpenDockerLauncherOptions): Launcher {
  const { env, logger } = options;
  const address = findEngine(env);
  const seconds = Number(env["DOCKER_CLIENT_TIMEOUT"] ?? "");
  const apiVersion = env["DOCKER_API_VERSION"]?.replace(/^v/, "");
  const engine = new DockerEngine({
    address,
    ...(seconds > 0 ? { timeoutMs: seconds * 1000 } : {}),
    ...(apiVersion === undefined || apiVersion === "" ? {} : { apiVersion }),
  });
  const launcher = createDockerLauncher({ ...options, engine });
  readEngine(engine, "version").then(
    async (found) => {
      const version = textIn(found, "Version") ?? "of unknown version";
      const api = await engine.apiVersion();
      logger.info(
        { engine: address.host, engineVersion: version, apiVersion: api },
        `Flow runs are started in containers of the Docker engine ${version} at ${address.host} (from ${address.source})`,
      );
    },
    async (thrown: unknown) => {
      // An outage is told of by the launcher itself.
      if (await launcher.isReady())
        logger.warn({ err: coerceError(thrown) }, "Flow runs cannot be started yet");
    },
  );
  return launcher;
}
