import { randomBytes } from "node:crypto";

// Imported by name, and this module itself lazily: in the bundle, `import()` of a CommonJS package loses its names.
import {
  fromHttp,
  fromIni,
  fromInstanceMetadata,
  fromTemporaryCredentials,
  fromTokenFile,
} from "@aws-sdk/credential-providers";

import { coerceError } from "../../errors.ts";
import { StepError } from "../errors.ts";
import { DEFAULT_REGION } from "./address.ts";
import { expandHome } from "./profile.ts";
import { createSdkHandler } from "./sdk-handler.ts";

import type { StepContext } from "../types.ts";
import type { Credentials } from "./credentials.ts";
import type { S3Settings } from "./settings.ts";
import type { Transport } from "./transport.ts";

type Provider = () => Promise<Credentials>;

// boto3's: the metadata service is asked once, for a second.
const METADATA = { timeout: 1000, maxRetries: 0 };

/** Keys from profile, web identity, container or instance; the environment's own keys have been looked for before. */
export async function findCredentials(
  settings: S3Settings,
  transport: Transport,
  { env }: StepContext,
): Promise<Credentials> {
  const { profile } = settings;
  const clientConfig = stsConfig(settings, transport, env);
  const fromProfile = fromIni({
    profile: profile.name,
    filepath: profile.credentialsFile,
    configFilepath: profile.configFile,
    ignoreCache: true,
    clientConfig,
    parentClientConfig: { region: clientConfig.region },
  });
  const tokenFile = env["AWS_WEB_IDENTITY_TOKEN_FILE"];
  const roleArn = env["AWS_ROLE_ARN"];
  if (profile.isExplicit || profile.values["role_arn"] !== undefined) return await told(fromProfile);
  if (tokenFile && roleArn) {
    const fromToken = fromTokenFile({
      webIdentityTokenFile: expandHome(tokenFile, env),
      roleArn,
      ...(env["AWS_ROLE_SESSION_NAME"] ? { roleSessionName: env["AWS_ROLE_SESSION_NAME"] } : {}),
      clientConfig,
    });
    return await told(fromToken);
  }
  if (Object.keys(profile.values).some((key) => PROFILE_SOURCES.has(key))) return await told(fromProfile);
  const relative = env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"];
  const full = env["AWS_CONTAINER_CREDENTIALS_FULL_URI"];
  if (relative || full) {
    const authorization = {
      awsContainerAuthorizationToken: env["AWS_CONTAINER_AUTHORIZATION_TOKEN"],
      awsContainerAuthorizationTokenFile: env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"],
    };
    const given = Object.entries(authorization).filter(([, value]) => value);
    const address = relative
      ? { awsContainerCredentialsRelativeUri: relative }
      : { awsContainerCredentialsFullUri: full ?? "" };
    return await told(fromHttp({ ...METADATA, ...address, ...Object.fromEntries(given) }));
  }
  if (env["AWS_EC2_METADATA_DISABLED"]?.toLowerCase() === "true") throw noCredentials();
  return await fromInstanceMetadata(METADATA)().catch((thrown: unknown) => {
    throw noCredentials(thrown);
  });
}

// A profile may also hold nothing but a region.
const PROFILE_SOURCES: ReadonlySet<string> = new Set([
  "aws_access_key_id",
  "credential_process",
  "credential_source",
  "login_session",
  "source_profile",
  "sso_account_id",
  "sso_session",
  "web_identity_token_file",
]);

/** Takes the role of the block, with the keys that `base` gives. */
export async function assumeRole(
  settings: S3Settings,
  transport: Transport,
  context: StepContext,
  base: Provider,
): Promise<Credentials> {
  const { accessKeyId, secretAccessKey, sessionToken } = await base();
  context.registerSecret(secretAccessKey);
  const { TokenCode: tokenCode, ...parameters } = settings.role?.parameters ?? {};
  return await told(
    fromTemporaryCredentials({
      masterCredentials: {
        accessKeyId,
        secretAccessKey,
        ...(sessionToken === undefined ? {} : { sessionToken }),
      },
      params: {
        RoleSessionName: `prefect-session-${randomBytes(4).toString("hex")}`,
        ...parameters,
        RoleArn: settings.role?.arn,
      },
      mfaCodeProvider: () => Promise.resolve(typeof tokenCode === "string" ? tokenCode : ""),
      clientConfig: stsConfig(settings, transport, context.env),
    }),
  );
}

/** STS is asked at its own endpoint, as Prefect does: the block's endpoint_url is that of S3 alone. */
function stsConfig(settings: S3Settings, transport: Transport, env: StepContext["env"]) {
  const endpoint =
    env["AWS_ENDPOINT_URL_STS"] || settings.profile.services["sts.endpoint_url"] || env["AWS_ENDPOINT_URL"];
  return {
    region: settings.region ?? DEFAULT_REGION,
    ...(endpoint ? { endpoint } : {}),
    requestHandler: createSdkHandler(transport),
    maxAttempts: settings.maxAttempts,
  };
}

/** Puts the provider's failure into a StepError. */
async function told(provider: Provider): Promise<Credentials> {
  try {
    return await provider();
  } catch (thrown) {
    const error = coerceError(thrown);
    const name = error.name === "Error" || error.message.startsWith(error.name) ? "" : `${error.name}: `;
    throw new StepError(`No AWS credentials could be obtained: ${name}${error.message}`, {
      cause: thrown,
      hint: hintFor(error),
    });
  }
}

function hintFor(error: Error): string {
  if (error.name === "AccessDenied" || error.name === "AccessDeniedException") {
    return "The role's trust policy must allow these credentials (or this web identity) to assume it.";
  }
  if (/ExpiredToken|InvalidIdentityToken/.test(error.name)) {
    return "The token has ended or is not accepted: renew it, and check the worker's clock.";
  }
  if (/InvalidClientTokenId|SignatureDoesNotMatch/.test(error.name)) {
    return "The base access key or secret key is wrong.";
  }
  return "Check the profile, the role and the AWS_* variables of the run's environment.";
}

function noCredentials(cause?: unknown): StepError {
  return new StepError("No AWS credentials were found", {
    ...(cause === undefined ? {} : { cause }),
    hint:
      "Give the step a credentials block, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, a web identity or an instance role for the worker. " +
      'For a public bucket set config: {signature_version: "unsigned"} in aws_client_parameters.',
  });
}
