import { describe, it } from "vitest";

import { createSettings, readInputs } from "./settings.ts";

import type { Json } from "../../json/value.ts";
import type { StepContext } from "../types.ts";
import type { Profile } from "./profile.ts";
import type { S3Settings } from "./settings.ts";

const PROFILE: Profile = {
  name: "default",
  isExplicit: false,
  isNamed: false,
  isKnown: true,
  values: {},
  services: {},
  configFile: "",
  credentialsFile: "",
};

function settingsOf(
  credentials: Json | undefined,
  more: { client?: Json; env?: Record<string, string>; profile?: Partial<Profile> } = {},
): S3Settings {
  const context = { env: more.env ?? {} } as StepContext;
  return createSettings(readInputs(credentials, more.client), { ...PROFILE, ...more.profile }, context);
}

const KEYS = { aws_access_key_id: "AKID", aws_secret_access_key: "secret" };
const NO_PARAMETERS = { api_version: null, use_ssl: true, verify: null, endpoint_url: null, config: null };

describe("createSettings", () => {
  it("takes client_parameters only when the credentials have none, as a block always has", ({ expect }) => {
    const client = { endpoint_url: "http://minio:9000" };
    expect(settingsOf(KEYS, { client }).endpoint?.host).toBe("minio:9000");
    expect(settingsOf(null, { client }).endpoint?.host).toBe("minio:9000");
    const block = { ...KEYS, aws_client_parameters: NO_PARAMETERS };
    expect(settingsOf(block, { client }).endpoint).toBeUndefined();
    expect(settingsOf({ ...KEYS, aws_client_parameters: null }, { client }).endpoint).toBeUndefined();
  });

  it("reads every credentials shape", ({ expect }) => {
    const keys = { accessKeyId: "AKID", secretAccessKey: "secret", sessionToken: undefined };
    expect(settingsOf(KEYS).keys).toEqual(keys);
    expect(settingsOf({ ...KEYS, aws_session_token: "t" }).keys).toEqual({ ...keys, sessionToken: "t" });
    expect(settingsOf({ minio_root_user: "AKID", minio_root_password: "secret" }).keys).toEqual(keys);
    expect(settingsOf({ bucket_name: "b", bucket_folder: "", credentials: KEYS }).keys).toEqual(keys);
    expect(settingsOf(undefined).keys).toBeUndefined();
    expect(settingsOf({ aws_access_key_id: null, aws_secret_access_key: null }).keys).toBeUndefined();
    expect(() => settingsOf({ aws_access_key_id: "AKID" })).toThrow(/aws_secret_access_key is missing/);
    expect(() => settingsOf("secret text")).toThrow(/^credentials must be a mapping, not str$/);
    expect(() => settingsOf({ ...KEYS, region_name: 7 })).toThrow(
      "credentials.region_name must be a text, not int",
    );
  });

  it("reads the role with its parameters, without those that are null", ({ expect }) => {
    const role = {
      assume_role_arn: "arn:aws:iam::1:role/R",
      assume_role_kwargs: { ExternalId: "x", DurationSeconds: 900, Policy: null },
    };
    expect(settingsOf({ ...KEYS, ...role }).role).toEqual({
      arn: "arn:aws:iam::1:role/R",
      parameters: { ExternalId: "x", DurationSeconds: 900 },
    });
    expect(settingsOf({ ...KEYS, assume_role_arn: null }).role).toBeUndefined();
  });

  it("finds region and endpoint in botocore's order", ({ expect }) => {
    const env = {
      AWS_DEFAULT_REGION: "r-env",
      AWS_ENDPOINT_URL_S3: "http://env",
      AWS_ENDPOINT_URL: "http://all",
    };
    const profile = { values: { region: "r-profile", endpoint_url: "http://profile" } };
    const config = {
      aws_client_parameters: { endpoint_url: "http://block", config: { region_name: "r-config" } },
    };
    const of = ({ region, endpoint }: S3Settings) => [region, endpoint?.hostname];
    expect(of(settingsOf({ region_name: "r-block", ...config }, { env, profile }))).toEqual([
      "r-block",
      "block",
    ]);
    expect(of(settingsOf(config, { env, profile }))).toEqual(["r-config", "block"]);
    expect(of(settingsOf(null, { env, profile }))).toEqual(["r-env", "env"]);
    expect(of(settingsOf(null, { profile }))).toEqual(["r-profile", "profile"]);
    const services = { "s3.endpoint_url": "http://service" };
    expect(of(settingsOf(null, { profile: { ...profile, services } }))).toEqual(["r-profile", "service"]);
    expect(of(settingsOf(null))).toEqual([undefined, undefined]);
    expect(
      settingsOf(null, { env: { ...env, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true" } }).endpoint,
    ).toBeUndefined();
    expect(() => settingsOf({ aws_client_parameters: { endpoint_url: "minio:9000" } })).toThrow(/is no URL/);
  });

  it("lets verify_cert_path replace verify, unless that is off", ({ expect }) => {
    const tls = (parameters: Json, env?: Record<string, string>) => {
      const { isCertificateVerified, caFile } = settingsOf(
        { aws_client_parameters: parameters },
        env === undefined ? {} : { env },
      );
      return [isCertificateVerified, caFile];
    };
    expect(tls({ verify: true, verify_cert_path: "/ca.pem" })).toEqual([true, "/ca.pem"]);
    expect(tls({ verify: null, verify_cert_path: "~/ca.pem" }, { HOME: "/home/x" })).toEqual([
      true,
      "/home/x/ca.pem",
    ]);
    expect(tls({ verify: false, verify_cert_path: "/ca.pem" })).toEqual([false, undefined]);
    expect(tls({ verify: "/old.pem" })).toEqual([true, "/old.pem"]);
    expect(tls({ verify: null }, { AWS_CA_BUNDLE: "/env.pem" })).toEqual([true, "/env.pem"]);
    expect(tls({ verify: true }, { AWS_CA_BUNDLE: "/env.pem" })).toEqual([true, undefined]);
  });

  it("honours the options of botocore's config", ({ expect }) => {
    const config = {
      signature_version: "unsigned",
      connect_timeout: 3,
      read_timeout: 4.5,
      max_pool_connections: 7,
      retries: { max_attempts: 2, mode: "standard" },
      s3: { addressing_style: "virtual" },
    };
    expect(settingsOf({ aws_client_parameters: { config, use_ssl: false } })).toMatchObject({
      isAnonymous: true,
      connectTimeoutMs: 3000,
      readTimeoutMs: 4500,
      maxConnections: 7,
      maxAttempts: 3,
      addressingStyle: "virtual",
      useTls: false,
    });
    expect(
      settingsOf({ aws_client_parameters: { config: { retries: { total_max_attempts: 1 } } } }).maxAttempts,
    ).toBe(1);
    expect(() => settingsOf({ aws_client_parameters: { config: { signature_version: "s3" } } })).toThrow(
      /'s3'.*not supported/,
    );
    expect(() =>
      settingsOf({ aws_client_parameters: { config: { s3: { addressing_style: "x" } } } }),
    ).toThrow(/unknown/);
  });
});
