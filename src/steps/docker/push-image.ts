import { pushImage } from "../../docker/images.ts";
import { parseImageReference, registryHost } from "../../docker/image-reference.ts";
import { findRegistryLogin } from "../../docker/registry-logins.ts";

import type { DockerEngine } from "../../docker/engine.ts";
import type { RegistryBlock } from "../../docker/registry-logins.ts";
import type { StepContext } from "../types.ts";

export interface Push {
  readonly name: string;
  /** Null: all tags that the engine has of this name. */
  readonly tags: readonly (string | null)[];
  readonly credentials: RegistryBlock | null;
}

/** Pushes an image's tags one after the other; layers that the registry has are not sent again. */
export async function pushTags(
  engine: DockerEngine,
  { name, tags, credentials }: Push,
  context: StepContext,
): Promise<void> {
  const { env, log, signal } = context;
  const { registry } = parseImageReference(name);
  const login = await findRegistryLogin(registry, credentials, env);
  if (credentials !== null && registryHost(credentials.registry_url) !== registry) {
    log.warn(
      `The credentials are for ${registryHost(credentials.registry_url)}, so they are not sent to ${registry}: image_name must begin with the registry's host`,
    );
  }
  const onProgress = (text: string): void => log.info(text);
  for (const tag of tags) {
    const image = tag === null ? `all tags of ${name}` : `${name}:${tag}`;
    log.info(`Pushing ${image}`);
    await pushImage(engine, { name, tag }, { login, onProgress, signal });
    log.info(`Pushed ${image}`);
  }
}
