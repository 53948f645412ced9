import type { Json, JsonObject } from "../../json/value.ts";

/** A block type that is registered when it is first used, as Prefect's Python client does with its classes. */
export interface BuiltInBlock {
  readonly slug: string;
  readonly name: string;
  readonly description: string;
  readonly capabilities: readonly string[];
  /** The schema's title: the name of the class in Python. */
  readonly title: string;
  readonly properties: Readonly<Record<string, JsonObject>>;
  readonly required: readonly string[];
  readonly secretFields: readonly string[];
  /** What `#/definitions/…` leads to, besides other blocks. */
  readonly definitions: Readonly<Record<string, JsonObject>>;
  /** Fields that hold another block, and the types that it may be of. */
  readonly references: Readonly<Record<string, readonly string[]>>;
}

type Field = (title: string) => JsonObject;

const TEXT: JsonObject = { type: "string" };
const SECRET: JsonObject = { format: "password", type: "string", writeOnly: true };
const NOTHING: JsonObject = { type: "null" };
const MAP: JsonObject = { additionalProperties: true, type: "object" };
const TEXT_MAPS: JsonObject = { items: { additionalProperties: TEXT, type: "object" }, type: "array" };

function required(schema: JsonObject): Field {
  return (title) => ({ title, ...schema });
}

function optional(...schemas: readonly JsonObject[]): Field {
  return (title) => ({ anyOf: [...schemas, NOTHING], default: null, title });
}

function withDefault(schema: JsonObject, value: Json): Field {
  return (title) => ({ default: value, title, ...schema });
}

function fields(
  titled: Readonly<Record<string, readonly [title: string, field: Field]>>,
): Record<string, JsonObject> {
  return Object.fromEntries(
    Object.entries(titled).map(([key, [title, field]], position) => [key, { ...field(title), position }]),
  );
}

function model(title: string, titled: Parameters<typeof fields>[0]): JsonObject {
  const properties = Object.fromEntries(
    Object.entries(titled).map(([key, [name, field]]) => [key, field(name)]),
  );
  return { title, type: "object", properties };
}

const AWS_CLIENT_PARAMETERS = model("AwsClientParameters", {
  api_version: ["API Version", optional(TEXT)],
  use_ssl: ["Use SSL", withDefault({ type: "boolean" }, true)],
  verify: ["Verify", optional({ type: "boolean" }, { format: "file-path", type: "string" })],
  verify_cert_path: [
    "Certificate Authority Bundle File Path",
    optional({ format: "file-path", type: "string" }),
  ],
  endpoint_url: ["Endpoint URL", optional(TEXT)],
  config: ["Botocore Config", optional(MAP)],
});

const ASSUME_ROLE_PARAMETERS = model("AssumeRoleParameters", {
  RoleSessionName: ["Role Session Name", optional(TEXT)],
  DurationSeconds: ["Duration Seconds", optional({ type: "integer" })],
  Policy: ["Policy", optional(TEXT)],
  PolicyArns: ["Policy ARNs", optional(TEXT_MAPS)],
  Tags: ["Tags", optional(TEXT_MAPS)],
  TransitiveTagKeys: ["Transitive Tag Keys", optional({ items: TEXT, type: "array" })],
  ExternalId: ["External ID", optional(TEXT)],
  SerialNumber: ["Serial Number", optional(TEXT)],
  TokenCode: ["Token Code", optional(TEXT)],
  SourceIdentity: ["Source Identity", optional(TEXT)],
  ProvidedContexts: ["Provided Contexts", optional(TEXT_MAPS)],
});

const NONE = { capabilities: [], required: [], secretFields: [], definitions: {}, references: {} };

/**
 * The types that every installation may count on: names, fields, defaults and capabilities of Prefect 3.8.8, prefect-aws 0.7.12,
 * prefect-github 0.4.4, prefect-gitlab 0.3.5, prefect-bitbucket 0.3.7 and prefect-docker 0.7.4. Texts that describe them are our own,
 * so the checksums are not Python's, which registers its own schema beside when it saves a block; it loads blocks by the type alone.
 */
const BUILT_IN: readonly BuiltInBlock[] = [
  {
    ...NONE,
    slug: "secret",
    name: "Secret",
    description: "One secret value: a text, or any JSON.",
    title: "Secret",
    properties: {
      value: {
        anyOf: [SECRET, { title: "string", ...TEXT }, { $ref: "#/definitions/JsonValue", title: "JSON" }],
        format: "password",
        writeOnly: true,
        title: "Value",
        position: 0,
      },
    },
    required: ["value"],
    secretFields: ["value"],
    definitions: { JsonValue: {} },
  },
  {
    ...NONE,
    slug: "aws-credentials",
    name: "AWS Credentials",
    description: "Access to Amazon Web Services.",
    title: "AwsCredentials",
    properties: fields({
      aws_access_key_id: ["AWS Access Key ID", optional(TEXT)],
      aws_secret_access_key: ["AWS Access Key Secret", optional(SECRET)],
      aws_session_token: ["AWS Session Token", optional(TEXT)],
      profile_name: ["Profile Name", optional(TEXT)],
      region_name: ["Region Name", optional(TEXT)],
      aws_client_parameters: [
        "AWS Client Parameters",
        required({ $ref: "#/definitions/AwsClientParameters" }),
      ],
      assume_role_arn: ["Assume Role ARN", optional(TEXT)],
      assume_role_kwargs: [
        "Assume Role Parameters",
        required({ $ref: "#/definitions/AssumeRoleParameters" }),
      ],
    }),
    secretFields: ["aws_secret_access_key"],
    definitions: {
      AwsClientParameters: AWS_CLIENT_PARAMETERS,
      AssumeRoleParameters: ASSUME_ROLE_PARAMETERS,
    },
  },
  {
    ...NONE,
    slug: "minio-credentials",
    name: "MinIO Credentials",
    description: "Access to a MinIO server.",
    title: "MinIOCredentials",
    properties: fields({
      minio_root_user: ["Minio Root User", required(TEXT)],
      minio_root_password: ["Minio Root Password", required(SECRET)],
      region_name: ["Region Name", optional(TEXT)],
      aws_client_parameters: [
        "AWS Client Parameters",
        required({ $ref: "#/definitions/AwsClientParameters" }),
      ],
    }),
    required: ["minio_root_user", "minio_root_password"],
    secretFields: ["minio_root_password"],
    definitions: { AwsClientParameters: AWS_CLIENT_PARAMETERS },
  },
  {
    ...NONE,
    slug: "s3-bucket",
    name: "S3 Bucket",
    description: "A bucket of Amazon S3 or of a server that speaks its protocol.",
    capabilities: ["get-directory", "put-directory", "read-path", "write-path"],
    title: "S3Bucket",
    properties: fields({
      bucket_name: ["Bucket Name", required(TEXT)],
      credentials: [
        "Credentials",
        required({
          anyOf: [{ $ref: "#/definitions/MinIOCredentials" }, { $ref: "#/definitions/AwsCredentials" }],
        }),
      ],
      bucket_folder: ["Bucket Folder", withDefault(TEXT, "")],
    }),
    required: ["bucket_name"],
    secretFields: ["credentials.minio_root_password", "credentials.aws_secret_access_key"],
    references: { credentials: ["minio-credentials", "aws-credentials"] },
  },
  {
    ...NONE,
    slug: "github-credentials",
    name: "GitHub Credentials",
    description: "A token for GitHub.",
    title: "GitHubCredentials",
    properties: fields({ token: ["Token", optional(SECRET)] }),
    secretFields: ["token"],
  },
  {
    ...NONE,
    slug: "gitlab-credentials",
    name: "GitLab Credentials",
    description: "A token for GitLab, also of your own.",
    title: "GitLabCredentials",
    properties: fields({ token: ["Personal Access Token", optional(SECRET)], url: ["URL", optional(TEXT)] }),
    secretFields: ["token"],
  },
  {
    ...NONE,
    slug: "bitbucket-credentials",
    name: "BitBucket Credentials",
    description: "A token or password for Bitbucket, in the cloud or of your own.",
    title: "BitBucketCredentials",
    properties: fields({
      token: ["Personal Access Token", optional(SECRET)],
      username: ["Username", optional(TEXT)],
      password: ["Password", optional(SECRET)],
      url: ["URL", optional(TEXT)],
    }),
    secretFields: ["token", "password"],
  },
  {
    ...NONE,
    slug: "docker-registry-credentials",
    name: "Docker Registry Credentials",
    description: "User and password of a container registry.",
    title: "DockerRegistryCredentials",
    properties: fields({
      username: ["Username", required(TEXT)],
      password: ["Password", required(SECRET)],
      registry_url: ["Registry Url", required(TEXT)],
      reauth: ["Reauth", withDefault({ type: "boolean" }, true)],
    }),
    required: ["username", "password", "registry_url"],
    secretFields: ["password"],
  },
];

export const BUILT_IN_BLOCKS: ReadonlyMap<string, BuiltInBlock> = new Map(
  BUILT_IN.map((block) => [block.slug, block]),
);
