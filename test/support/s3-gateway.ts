import { randomBytes } from "node:crypto";
import { accessSync, constants, existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { request } from "undici";
import { until } from "./deadline.ts";
import { freePort } from "./prefect-server.ts";
import { TestProcess } from "./test-process.ts";

export interface S3GatewayOptions {
  /** Keeps connections open between requests, as AWS does; the gateway's own default is to close them. */
  readonly keepAlive?: boolean;
  /** Where buckets and objects lie. */
  readonly parentDirectory?: string;
}

/** A real S3 service: versitygw over a directory, so a file put there is an object. */
export class S3Gateway implements AsyncDisposable {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  readonly accessKeyId = `AKID${randomBytes(8).toString("hex").toUpperCase()}`;
  readonly secretAccessKey = randomBytes(20).toString("base64url");
  readonly region = "us-east-1";
  readonly #root: string;
  readonly #port: number;
  readonly #keepAlive: boolean;
  #process: TestProcess | undefined;

  private constructor(root: string, port: number, keepAlive: boolean) {
    this.#root = root;
    this.#port = port;
    this.#keepAlive = keepAlive;
    this.url = `http://127.0.0.1:${port}`;
  }

  /** Fails when there is no gateway on this machine: CONTRIBUTING says how to get it. */
  static async start(options: S3GatewayOptions = {}): Promise<S3Gateway> {
    const root = await mkdtemp(join(options.parentDirectory ?? tmpdir(), "lighterman-s3-"));
    const gateway = new S3Gateway(root, await freePort(), options.keepAlive ?? true);
    try {
      await gateway.#start();
    } catch (error) {
      await gateway[Symbol.asyncDispose]();
      throw error;
    }
    return gateway;
  }

  /** Fields of an AwsCredentials block that reach this gateway. */
  get credentials() {
    return {
      aws_access_key_id: this.accessKeyId,
      aws_secret_access_key: this.secretAccessKey,
      aws_session_token: null,
      profile_name: null,
      region_name: this.region,
      aws_client_parameters: {
        api_version: null,
        use_ssl: true,
        verify: null,
        verify_cert_path: null,
        endpoint_url: this.url,
        config: null,
      },
      assume_role_arn: null,
      assume_role_kwargs: {},
    };
  }

  /** Makes a bucket that holds these objects, by key; returns its directory. */
  async createBucket(
    name: string,
    objects: Readonly<Record<string, string | Uint8Array>> = {},
  ): Promise<string> {
    const directory = join(this.#root, name);
    await mkdir(directory);
    for (const [key, content] of Object.entries(objects)) {
      await mkdir(dirname(join(directory, key)), { recursive: true });
      await writeFile(join(directory, key), content);
    }
    return directory;
  }

  async #start(): Promise<void> {
    const flags = this.#keepAlive ? ["--keep-alive"] : [];
    const child = new TestProcess(
      findGateway(),
      ["--port", `127.0.0.1:${this.#port}`, "--quiet", ...flags, "posix", this.#root],
      {
        name: "versitygw",
        env: {
          PATH: process.env["PATH"] ?? "",
          ROOT_ACCESS_KEY: this.accessKeyId,
          ROOT_SECRET_KEY: this.secretAccessKey,
        },
      },
    );
    this.#process = child;
    await until(
      "the S3 gateway answers",
      async () => {
        if (!child.isRunning) throw new Error(`versitygw ended\n${child.output}`);
        // Refused, since it is not signed; but an answer of S3.
        const answer = await request(this.url).catch(() => undefined);
        return (await answer?.body.text())?.includes("<Error>");
      },
      { timeoutMs: 20_000, everyMs: 50, detail: () => child.output },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#process;
    if (child !== undefined) {
      child.signal("SIGTERM");
      try {
        await child.end(10_000);
      } finally {
        await child[Symbol.asyncDispose]();
      }
    }
    await rm(this.#root, { recursive: true, force: true });
  }
}

function findGateway(): string {
  const named = process.env["LIGHTERMAN_TEST_VERSITYGW"];
  const own = fileURLToPath(new URL("../../.venvs/bin/versitygw", import.meta.url));
  const onPath = (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((directory) => join(directory, "versitygw"));
  const candidates = named === undefined ? [own, ...onPath] : [named];
  const found = candidates.find((path) => existsSync(path));
  if (found === undefined) {
    throw new Error(
      `No versitygw at ${candidates.join(", ")}: install it, or name it in LIGHTERMAN_TEST_VERSITYGW`,
    );
  }
  accessSync(found, constants.X_OK);
  return found;
}
