import { isPythonTruthy, pythonStr } from "../../json/python.ts";
import { StepError } from "../errors.ts";
import { Fields } from "./fields.ts";
import { expandHome } from "./profile.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { StepContext } from "../types.ts";
import type { Profile } from "./profile.ts";

export interface AccessKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

interface AssumedRole {
  readonly arn: string;
  /** Further parameters of STS AssumeRole under its own names, such as ExternalId. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

type AddressingStyle = "auto" | "path" | "virtual";

/** Everything about reaching S3 that a deployment, its blocks, a profile and the environment say. */
export interface S3Settings {
  /** Undefined: nobody names one, so us-east-1 is asked first. */
  readonly region: string | undefined;
  /** Undefined: AWS itself. */
  readonly endpoint: URL | undefined;
  readonly useTls: boolean;
  readonly isCertificateVerified: boolean;
  /** File of the CAs that are trusted instead of the built-in ones. */
  readonly caFile: string | undefined;
  /** Files of a client certificate; the key may stand in the same file. */
  readonly clientCertificate: { readonly certFile: string; readonly keyFile: string } | undefined;
  /** Proxies of the block's `config`, by scheme; undefined: those of the environment. */
  readonly proxies: Readonly<Record<string, string>> | undefined;
  readonly addressingStyle: AddressingStyle;
  readonly useAccelerate: boolean;
  readonly useDualstack: boolean;
  readonly useFips: boolean;
  readonly isAnonymous: boolean;
  readonly keys: AccessKeys | undefined;
  readonly profile: Profile;
  readonly role: AssumedRole | undefined;
  readonly connectTimeoutMs: number;
  /** Longest silence that is waited for, before and within an answer. */
  readonly readTimeoutMs: number;
  readonly maxAttempts: number;
  readonly maxConnections: number;
}

/** What the step's `credentials` and `client_parameters` hold, before profile and environment fill the gaps. */
export interface S3Inputs {
  readonly credentials: Fields;
  readonly client: Fields;
  readonly config: Fields;
  /** botocore's options of its `s3` section. */
  readonly s3: Fields;
}

const DEFAULT_TIMEOUT_S = 60;
// botocore tries 5 times, and its transfer manager again 5 times what breaks off within a body.
const DEFAULT_ATTEMPTS = 6;
const DEFAULT_CONNECTIONS = 64;

/**
 * Reads the inputs by the rules of prefect_aws.s3:get_s3_client: `minio_root_*` are other names of the key pair, and
 * `client_parameters` counts only when the credentials have no `aws_client_parameters` of their own, which a block always has.
 */
export function readInputs(credentials: Json | undefined, clientParameters: Json | undefined): S3Inputs {
  const outer = Fields.of("credentials", credentials);
  // An S3Bucket block holds its credentials within.
  const isBucketBlock = outer.object("credentials") !== undefined && !outer.has("aws_access_key_id");
  const fields = isBucketBlock ? outer.fields("credentials") : outer;
  const client = fields.has("aws_client_parameters")
    ? fields.fields("aws_client_parameters")
    : Fields.of("client_parameters", clientParameters);
  const config = client.fields("config");
  return { credentials: fields, client, config, s3: config.fields("s3") };
}

/** Lays inputs over profile over environment, as botocore does. Throws a StepError for what cannot be honoured. */
export function createSettings(inputs: S3Inputs, profile: Profile, context: StepContext): S3Settings {
  const { credentials, client, config, s3 } = inputs;
  const { env } = context;
  const signature = config.text("signature_version");
  if (signature !== undefined && !["unsigned", "s3v4", "v4"].includes(signature)) {
    throw new StepError(`The signature version '${signature}' in ${config.path} is not supported`, {
      hint: "Remove it (s3v4 is used then), or write 'unsigned' for a public bucket.",
    });
  }
  const isAnonymous = signature === "unsigned";
  return {
    region:
      credentials.text("region_name") ??
      config.text("region_name") ??
      (env["AWS_DEFAULT_REGION"] || env["AWS_REGION"] || profile.values["region"]),
    endpoint: readEndpoint(inputs, profile, env),
    useTls: client.flag("use_ssl") ?? true,
    ...readTls(inputs, profile, env),
    proxies: readProxies(config),
    addressingStyle: readAddressingStyle(
      s3.text("addressing_style") ?? profile.values["s3.addressing_style"] ?? "auto",
    ),
    useAccelerate: s3.flag("use_accelerate_endpoint") ?? isOn(profile.values["s3.use_accelerate_endpoint"]),
    useDualstack:
      s3.flag("use_dualstack_endpoint") ??
      config.flag("use_dualstack_endpoint") ??
      isOn(env["AWS_USE_DUALSTACK_ENDPOINT"] ?? profile.values["use_dualstack_endpoint"]),
    useFips:
      config.flag("use_fips_endpoint") ??
      isOn(env["AWS_USE_FIPS_ENDPOINT"] ?? profile.values["use_fips_endpoint"]),
    isAnonymous,
    keys: readKeys(credentials),
    profile,
    role: isAnonymous ? undefined : readRole(credentials),
    connectTimeoutMs: 1000 * (config.number("connect_timeout") ?? DEFAULT_TIMEOUT_S),
    readTimeoutMs: 1000 * (config.number("read_timeout") ?? DEFAULT_TIMEOUT_S),
    maxAttempts: readAttempts(config.fields("retries")),
    maxConnections: Math.max(1, Math.trunc(config.number("max_pool_connections") ?? DEFAULT_CONNECTIONS)),
  };
}

function readEndpoint(
  { client, config }: S3Inputs,
  profile: Profile,
  env: StepContext["env"],
): URL | undefined {
  const isIgnored =
    config.flag("ignore_configured_endpoint_urls") ??
    isOn(env["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] ?? profile.values["ignore_configured_endpoint_urls"]);
  const configured = isIgnored
    ? undefined
    : env["AWS_ENDPOINT_URL_S3"] ||
      env["AWS_ENDPOINT_URL"] ||
      profile.services["s3.endpoint_url"] ||
      profile.values["endpoint_url"];
  const text = client.text("endpoint_url") ?? configured;
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol) || url.hostname === "") {
    throw new StepError(`The endpoint_url '${text}' is no URL`, {
      hint: "Write it with its scheme, such as https://minio.example.com:9000.",
    });
  }
  return url;
}

function readTls(
  { client, config }: S3Inputs,
  profile: Profile,
  env: StepContext["env"],
): Pick<S3Settings, "isCertificateVerified" | "caFile" | "clientCertificate"> {
  const verify = client.value("verify");
  // prefect_aws.client_parameters: verify_cert_path replaces verify, unless that is off.
  const isVerified = verify === undefined || verify === null || isPythonTruthy(verify);
  const configured = env["AWS_CA_BUNDLE"] || profile.values["ca_bundle"] || env["REQUESTS_CA_BUNDLE"];
  const caFile =
    client.text("verify_cert_path") ??
    (typeof verify === "string" ? verify : verify === true ? undefined : configured);
  const certificate = config.value("client_cert");
  const files = Array.isArray(certificate) ? certificate : [certificate, certificate];
  const [certFile, keyFile] = files;
  return {
    isCertificateVerified: isVerified,
    caFile: isVerified && caFile !== undefined && caFile !== "" ? expandHome(caFile, env) : undefined,
    clientCertificate:
      typeof certFile === "string" && typeof keyFile === "string"
        ? { certFile: expandHome(certFile, env), keyFile: expandHome(keyFile, env) }
        : undefined,
  };
}

function readProxies(config: Fields): Readonly<Record<string, string>> | undefined {
  const given = config.object("proxies");
  if (given === undefined) return undefined;
  return Object.fromEntries(
    Object.entries(given).flatMap(([scheme, url]) => (typeof url === "string" ? [[scheme, url]] : [])),
  );
}

function readAddressingStyle(text: string): AddressingStyle {
  if (text === "auto" || text === "path" || text === "virtual") return text;
  throw new StepError(`The addressing_style '${text}' is unknown`, {
    hint: "Write auto, path or virtual.",
  });
}

function readKeys(credentials: Fields): AccessKeys | undefined {
  const accessKeyId = credentials.text(
    credentials.has("aws_access_key_id") ? "aws_access_key_id" : "minio_root_user",
  );
  const secretAccessKey = credentials.text(
    credentials.has("aws_secret_access_key") ? "aws_secret_access_key" : "minio_root_password",
  );
  const sessionToken = credentials.text("aws_session_token");
  if (accessKeyId === undefined && secretAccessKey === undefined && sessionToken === undefined)
    return undefined;
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    const missing = accessKeyId === undefined ? "aws_access_key_id" : "aws_secret_access_key";
    throw new StepError(`The credentials are incomplete: ${missing} is missing`, {
      hint: "Give access key and secret key together, or neither to use the environment's credentials.",
    });
  }
  return { accessKeyId, secretAccessKey, sessionToken };
}

function readRole(credentials: Fields): AssumedRole | undefined {
  const arn = credentials.text("assume_role_arn");
  if (arn === undefined) return undefined;
  const given: JsonObject = credentials.object("assume_role_kwargs") ?? {};
  const entries = Object.entries(given).filter(([, value]) => value !== null);
  return {
    arn,
    parameters: Object.fromEntries(
      entries.map(([key, value]) => [key, key === "DurationSeconds" ? Number(pythonStr(value)) : value]),
    ),
  };
}

function readAttempts(retries: Fields): number {
  const total = retries.number("total_max_attempts");
  const further = retries.number("max_attempts");
  const attempts = total ?? (further === undefined ? DEFAULT_ATTEMPTS : further + 1);
  return Math.max(1, Math.trunc(attempts));
}

function isOn(text: string | undefined): boolean {
  return text?.toLowerCase() === "true";
}
