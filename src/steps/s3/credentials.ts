import { noProfile } from "./profile.ts";

import type { StepContext } from "../types.ts";
import type { AccessKeys, S3Settings } from "./settings.ts";
import type { Transport } from "./transport.ts";

/** Keys that may end: temporary ones are asked for anew before they do. */
export interface Credentials extends AccessKeys {
  readonly expiration?: Date | undefined;
}

/** Gives the keys to sign with; undefined for anonymous access. */
export interface CredentialSource {
  current(): Promise<Credentials | undefined>;
  /** Forgets these keys, since the server says they have ended; false when there are no others to be had. */
  renew(ended: Credentials | undefined): boolean;
}

type Provider = () => Promise<Credentials>;

const RENEW_BEFORE_END_MS = 5 * 60_000;
// Keys that end sooner than that are not asked for at every request.
const RENEW_AT_MOST_EVERY_MS = 60_000;

/**
 * Finds keys in botocore's order (credentials.py: create_credential_resolver): those of the block; else environment (unless
 * a profile is named), profile, web identity, container, instance; then takes the role, if one is given. The SDK's own chain
 * is not used as it reads the environment of this process, not of the run.
 */
export function createCredentialSource(
  settings: S3Settings,
  transport: Transport,
  context: StepContext,
): CredentialSource {
  const fixed = settings.keys;
  const base: Provider =
    fixed === undefined ? () => fromEnvironment(settings, transport, context) : () => Promise.resolve(fixed);
  let pending: Promise<Credentials> | undefined;
  let last: Credentials | undefined;
  let renewAtMs = Infinity;

  async function provide(): Promise<Credentials> {
    const credentials = settings.role === undefined ? await base() : await takeRole();
    for (const secret of [credentials.secretAccessKey, credentials.sessionToken]) {
      if (secret !== undefined) context.registerSecret(secret);
    }
    const endsAtMs = credentials.expiration?.getTime() ?? Infinity;
    renewAtMs = Math.max(endsAtMs - RENEW_BEFORE_END_MS, Date.now() + RENEW_AT_MOST_EVERY_MS);
    last = credentials;
    return credentials;
  }

  async function takeRole(): Promise<Credentials> {
    const { assumeRole } = await import("./aws-credentials.ts");
    return await assumeRole(settings, transport, context, base);
  }

  return {
    async current() {
      if (settings.isAnonymous) return undefined;
      if (Date.now() > renewAtMs) {
        renewAtMs = Infinity;
        pending = undefined;
      }
      pending ??= provide();
      return await pending;
    },
    renew(ended) {
      if (settings.isAnonymous || (fixed !== undefined && settings.role === undefined)) return false;
      // Many requests may find out at the same time.
      if (ended === last) {
        last = undefined;
        pending = undefined;
      }
      return true;
    },
  };
}

async function fromEnvironment(
  settings: S3Settings,
  transport: Transport,
  context: StepContext,
): Promise<Credentials> {
  const { env } = context;
  const { profile } = settings;
  const accessKeyId = env["AWS_ACCESS_KEY_ID"];
  const secretAccessKey = env["AWS_SECRET_ACCESS_KEY"];
  if (!profile.isExplicit && accessKeyId && secretAccessKey) {
    const sessionToken = env["AWS_SESSION_TOKEN"] || env["AWS_SECURITY_TOKEN"] || undefined;
    return { accessKeyId, secretAccessKey, sessionToken };
  }
  if (!profile.isKnown && profile.isNamed) throw noProfile(profile);
  const { findCredentials } = await import("./aws-credentials.ts");
  return await findCredentials(settings, transport, context);
}
