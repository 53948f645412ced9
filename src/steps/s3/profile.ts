import { homedir } from "node:os";
import { join } from "node:path";

import { StepError } from "../errors.ts";
import { exists } from "../existence.ts";

import type { StepContext } from "../types.ts";

/** One profile of AWS's shared files, and where those are. Nested settings have dotted names such as `s3.addressing_style`. */
export interface Profile {
  readonly name: string;
  /** Named by the credentials: it then comes before the environment's keys. */
  readonly isExplicit: boolean;
  /** Named by the credentials or the environment, so no mere default. */
  readonly isNamed: boolean;
  readonly isKnown: boolean;
  readonly values: Readonly<Record<string, string | undefined>>;
  /** Values of the `[services NAME]` section that the profile points at. */
  readonly services: Readonly<Record<string, string | undefined>>;
  readonly configFile: string;
  readonly credentialsFile: string;
}

/**
 * Reads `~/.aws/config` and `~/.aws/credentials` (or what AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name) of the run's
 * environment. Throws a StepError when `wanted` stands in neither.
 */
export async function readProfile(wanted: string | undefined, env: StepContext["env"]): Promise<Profile> {
  const named = wanted ?? (env["AWS_DEFAULT_PROFILE"] || env["AWS_PROFILE"] || undefined);
  const name = named ?? "default";
  const configFile = expandHome(env["AWS_CONFIG_FILE"] || "~/.aws/config", env);
  const credentialsFile = expandHome(env["AWS_SHARED_CREDENTIALS_FILE"] || "~/.aws/credentials", env);
  const sections = await readSections(configFile, credentialsFile);
  const values = sections[name];
  const profile = {
    name,
    isExplicit: wanted !== undefined,
    isNamed: named !== undefined,
    isKnown: values !== undefined,
    values: values ?? {},
    services: sections[`services.${values?.["services"] ?? ""}`] ?? {},
    configFile,
    credentialsFile,
  };
  if (profile.isExplicit && !profile.isKnown) throw noProfile(profile);
  return profile;
}

export function noProfile({ name, configFile, credentialsFile }: Profile): StepError {
  return new StepError(`There is no AWS profile '${name}' in ${configFile} or ${credentialsFile}`, {
    hint: "The profile must be known on the worker's machine: correct profile_name or AWS_PROFILE, or give keys instead.",
  });
}

/** Expands a leading `~` with the run's own HOME. */
export function expandHome(path: string, env: StepContext["env"]): string {
  return /^~(?=\/|$)/.test(path) ? join(env["HOME"] || homedir(), path.slice(1)) : path;
}

async function readSections(
  configFile: string,
  credentialsFile: string,
): Promise<Record<string, Record<string, string | undefined>>> {
  const isThere = await Promise.all([configFile, credentialsFile].map((file) => exists(file)));
  if (!isThere.includes(true)) return {};
  const { parseProfiles } = await import("./aws-profiles.ts");
  return await parseProfiles({ configFilepath: configFile, filepath: credentialsFile, ignoreCache: true });
}
