import { isJsonObject } from "../json/value.ts";
import { askCredentialHelper, listCredentialHelper } from "./credential-helper.ts";
import { readDockerConfig } from "./docker-config.ts";
import { DOCKER_HUB, registryHost } from "./image-reference.ts";

import type { Json, JsonObject } from "../json/value.ts";
import type { DockerEnvironment } from "./docker-config.ts";

/** The fields of a docker-registry-credentials block. */
export interface RegistryBlock {
  readonly username: string;
  readonly password: string;
  readonly registry_url: string;
}

/** What the engine is told to log in with at a registry (Engine API: AuthConfig). */
export interface RegistryLogin {
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
  readonly serveraddress: string;
}

/** A login, and where it comes from, for messages. */
export interface FoundLogin {
  readonly login: RegistryLogin;
  readonly source: string;
}

/** Docker Hub's entry in config.json and in helpers. */
const HUB_URL = "https://index.docker.io/v1/";
const TOKEN_USER = "<token>";

/**
 * The login for a registry: the block's if it is for this one, else what `docker login` has left in config.json or with its
 * helpers (docker/auth.py: a helper for the registry, the store, then `auths`). Undefined when there is none, which may do for
 * public images. Rejects with CONFIG_INVALID or IMAGE_UNAVAILABLE when a source cannot be used.
 */
export async function findRegistryLogin(
  registry: string,
  block: RegistryBlock | null | undefined,
  env: DockerEnvironment,
): Promise<FoundLogin | undefined> {
  if (block !== null && block !== undefined && registryHost(block.registry_url) === registry) {
    const { username, password } = block;
    const serveraddress = serverOf(registry);
    return { login: { username, password, serveraddress }, source: "the registry_credentials" };
  }
  const config = readDockerConfig(env);
  const stored = await fromHelper(registry, config, env);
  if (stored !== undefined) return stored;
  const [, entry] =
    Object.entries(objectAt(config, "auths")).find(([key]) => registryHost(key) === registry) ?? [];
  const login = loginOf(entry, registry);
  return login === undefined ? undefined : { login, source: "Docker's config.json" };
}

/**
 * All logins that `docker login` has left, by registry, since a build may pull from any. A helper that fails counts as empty:
 * whether its login is needed is not known yet.
 */
export async function findAllLogins(
  env: DockerEnvironment,
): Promise<Readonly<Record<string, RegistryLogin>>> {
  const config = readDockerConfig(env);
  const all: Record<string, RegistryLogin> = {};
  for (const [key, entry] of Object.entries(objectAt(config, "auths"))) {
    const login = loginOf(entry, registryHost(key));
    if (login !== undefined) all[key] = login;
  }
  const store = config["credsStore"];
  const helpers = Object.entries(objectAt(config, "credHelpers"));
  const kept = typeof store === "string" && store !== "" ? await listCredentialHelper(store, env) : [];
  for (const [server, helper] of [...kept.map((server) => [server, store] as const), ...helpers]) {
    if (typeof helper !== "string") continue;
    const login = await ask(helper, server, env).catch(() => undefined);
    if (login !== undefined) all[registryHost(server) === DOCKER_HUB ? HUB_URL : server] = login;
  }
  return all;
}

/** As the engine takes it in X-Registry-Auth and X-Registry-Config: with padding, without which it silently reads nothing. */
export function encodeLogin(login: object): string {
  return Buffer.from(JSON.stringify(login)).toString("base64").replaceAll("+", "-").replaceAll("/", "_");
}

async function fromHelper(
  registry: string,
  config: JsonObject,
  env: DockerEnvironment,
): Promise<FoundLogin | undefined> {
  const [, own] =
    Object.entries(objectAt(config, "credHelpers")).find(([key]) => registryHost(key) === registry) ?? [];
  const helper = own ?? config["credsStore"];
  if (typeof helper !== "string" || helper === "") return undefined;
  const login = await ask(helper, registry, env);
  return login === undefined ? undefined : { login, source: `docker-credential-${helper}` };
}

async function ask(
  helper: string,
  server: string,
  env: DockerEnvironment,
): Promise<RegistryLogin | undefined> {
  const address = serverOf(server);
  const found = await askCredentialHelper(helper, address, env);
  if (found === undefined) return undefined;
  return found.username === TOKEN_USER
    ? { identitytoken: found.secret, serveraddress: address }
    : { username: found.username, password: found.secret, serveraddress: address };
}

function serverOf(registry: string): string {
  return registryHost(registry) === DOCKER_HUB ? HUB_URL : registry;
}

/** An entry of `auths`: user and password in base64, or apart; or a token. Undefined for an empty one, as a store leaves it. */
function loginOf(entry: Json | undefined, registry: string): RegistryLogin | undefined {
  if (!isJsonObject(entry)) return undefined;
  const text = (name: string): string | undefined => {
    const value = entry[name];
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const serveraddress = serverOf(registry);
  const identitytoken = text("identitytoken");
  if (identitytoken !== undefined) return { identitytoken, serveraddress };
  const registrytoken = text("registrytoken");
  if (registrytoken !== undefined) return { registrytoken, serveraddress };
  const [user, ...rest] = Buffer.from(text("auth") ?? "", "base64")
    .toString()
    .split(":");
  const username = text("username") ?? user;
  // Docker pads what it has encoded with zero bytes.
  const password = text("password") ?? rest.join(":").replace(/\0+$/, "");
  if (username === undefined || username === "") return undefined;
  return { username, password, serveraddress };
}

function objectAt(config: JsonObject, name: string): JsonObject {
  const value = config[name];
  return isJsonObject(value) ? value : {};
}
