import { locateBucket, DEFAULT_REGION } from "./address.ts";
import { BrokenBodyError, exchange } from "./exchange.ts";
import { isTransient, OddAnswer, S3Failure } from "./failure.ts";
import { createSigner, encodeAws } from "./signature.ts";
import { childText, parseXml } from "./xml.ts";

import type { Clock } from "../../lifecycle/clock.ts";
import type { BucketAddress } from "./address.ts";
import type { Credentials, CredentialSource } from "./credentials.ts";
import type { Answer, ExchangeOptions } from "./exchange.ts";
import type { Place } from "./explain.ts";
import type { S3Settings } from "./settings.ts";
import type { Sign } from "./signature.ts";
import type { Transport } from "./transport.ts";

export interface BucketOptions {
  readonly settings: S3Settings;
  readonly transport: Transport;
  readonly credentials: CredentialSource;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly registerSecret: (secret: string) => void;
}

export interface GetOptions extends ExchangeOptions {
  /** Further headers; they are not signed. */
  readonly headers?: Readonly<Record<string, string>>;
}

interface BucketRequest {
  readonly method: "GET" | "PUT" | "POST";
  /** For messages; absent when the bucket itself is asked. */
  readonly key?: string;
  /** Below the bucket, encoded. */
  readonly path: string;
  /** Encoded pairs, sorted by name. */
  readonly query: string;
  readonly body?: Uint8Array;
}

const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 5000;
const MAX_MOVES = 3;
const MAX_ERROR_BYTES = 64 * 1024;

/** One bucket, asked by signed requests that are repeated where that can help, and that follow it to its region. */
export class Bucket {
  readonly name: string;
  readonly #options: BucketOptions;
  #region: string;
  #address: BucketAddress | undefined;
  #sign: Sign | undefined;
  #moves = 0;
  #session: Promise<Credentials> | undefined;
  #sessionEndsAtMs = 0;

  constructor(name: string, options: BucketOptions) {
    this.name = name;
    this.#options = options;
    this.#region = options.settings.region ?? DEFAULT_REGION;
  }

  /** Where requests go now; for messages. */
  place(prefix: string): Place {
    const { settings, transport } = this.#options;
    const url = this.#address?.url ?? settings.endpoint;
    return {
      bucket: this.name,
      prefix,
      endpoint: url?.origin ?? `AWS (${this.#region})`,
      proxy: url === undefined ? undefined : transport.proxyOf(url),
      region: this.#region,
      isAnonymous: settings.isAnonymous,
    };
  }

  /** The answer to `GET bucket?query`, always with a status of success. Values are not yet encoded. */
  async list(query: Readonly<Record<string, string>>, options: GetOptions): Promise<Answer> {
    const pairs = Object.entries(query).map(([name, value]) => `${encodeAws(name)}=${encodeAws(value)}`);
    return await this.#request({ method: "GET", path: "", query: pairs.toSorted().join("&") }, options);
  }

  /** The answer to `GET key`, always with a status of success. */
  async get(key: string, options: GetOptions): Promise<Answer> {
    return await this.#request({ method: "GET", key, path: pathOf(key), query: "" }, options);
  }

  /** The answer to a request that writes `key`, or a part of it, always with a status of success. */
  async send(
    method: "PUT" | "POST",
    key: string,
    { query = "", body }: { readonly query?: string; readonly body: Uint8Array },
  ): Promise<Answer> {
    return await this.#request(
      { method, key, path: pathOf(key), query, body },
      { maxBodyBytes: MAX_ERROR_BYTES },
    );
  }

  async #request(request: BucketRequest, options: GetOptions): Promise<Answer> {
    const { settings, clock, signal, credentials } = this.#options;
    let isRenewed = false;
    let used: Credentials | undefined;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const address = (this.#address ??= await this.#locate());
        used = await this.#keys(address);
        const path = `${address.basePath}${request.path}` || "/";
        const answer = await this.#send(address, used, { ...request, path }, options);
        if (answer.status >= 200 && answer.status < 300) return answer;
        throw new S3Failure(answer, request.key);
      } catch (thrown) {
        if (signal.aborted) throw signal.reason;
        if (thrown instanceof S3Failure) {
          if (await this.#follow(thrown)) continue;
          if (
            !isRenewed &&
            /^(?:ExpiredToken|TokenRefreshRequired)/.test(thrown.code) &&
            credentials.renew(used)
          ) {
            isRenewed = true;
            continue;
          }
        }
        if (attempt >= settings.maxAttempts || !isTransient(thrown)) throw thrown;
        const longest = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** attempt);
        await clock.sleep(longest * (0.5 + Math.random() / 2), signal);
      }
    }
  }

  async #send(
    address: BucketAddress,
    keys: Credentials | undefined,
    { method, path, query, body }: BucketRequest,
    { headers, sinkFor, maxBodyBytes }: GetOptions,
  ): Promise<Answer> {
    const { url } = address;
    this.#sign ??= createSigner(
      address.scope,
      address.scope.service === "s3express" ? "x-amz-s3session-token" : "x-amz-security-token",
    );
    const request = { method, host: url.host, path, query, body };
    const signed =
      keys === undefined ? { host: url.host } : this.#sign(request, keys, this.#options.clock.now());
    return await exchange(
      {
        dispatcher: this.#options.transport.dispatcherFor(url),
        origin: url.origin,
        method,
        body,
        path: query === "" ? path : `${path}?${query}`,
        headers: headers === undefined ? signed : { ...signed, ...headers },
      },
      {
        maxBodyBytes: Math.max(maxBodyBytes, MAX_ERROR_BYTES),
        // An error's text never goes into a file.
        sinkFor: (status, head) => (status >= 200 && status < 300 ? sinkFor?.(status, head) : undefined),
      },
    );
  }

  async #locate(): Promise<BucketAddress> {
    return await locateBucket(this.name, this.#region, this.#options.settings);
  }

  /** Goes to the region that the answer names; false when it names none, or too many in turn. */
  async #follow(failure: S3Failure): Promise<boolean> {
    const { region } = failure;
    const isElsewhere =
      [301, 302, 307].includes(failure.status) ||
      failure.code === "AuthorizationHeaderMalformed" ||
      failure.code === "IllegalLocationConstraintException";
    if (!isElsewhere || region === undefined || region === this.#region || this.#moves >= MAX_MOVES)
      return false;
    this.#moves += 1;
    this.#region = region;
    this.#address = await this.#locate();
    this.#sign = undefined;
    this.#session = undefined;
    return true;
  }

  async #keys(address: BucketAddress): Promise<Credentials | undefined> {
    const { credentials, clock } = this.#options;
    if (address.scope.service !== "s3express") return await credentials.current();
    if (this.#session === undefined || clock.now() > this.#sessionEndsAtMs) {
      this.#session = this.#createSession(address);
      // Sessions last five minutes.
      this.#sessionEndsAtMs = clock.now() + 4 * 60_000;
    }
    return await this.#session;
  }

  /** Directory buckets (S3 Express One Zone) want keys of their own, made by CreateSession. */
  async #createSession(address: BucketAddress): Promise<Credentials> {
    const keys = await this.#options.credentials.current();
    if (keys === undefined) throw new OddAnswer("A directory bucket cannot be read anonymously");
    const request = {
      method: "GET",
      host: address.url.host,
      path: address.basePath || "/",
      query: "session=",
    } as const;
    const answer = await exchange(
      {
        dispatcher: this.#options.transport.dispatcherFor(address.url),
        origin: address.url.origin,
        method: "GET",
        path: `${request.path}?${request.query}`,
        headers: createSigner(address.scope)(request, keys, this.#options.clock.now()),
      },
      { maxBodyBytes: MAX_ERROR_BYTES },
    );
    if (answer.status !== 200) throw new S3Failure(answer, undefined);
    const made = parseXml(answer.body.toString("utf8"))?.children.find(({ name }) => name === "Credentials");
    const [accessKeyId, secretAccessKey, token] = ["AccessKeyId", "SecretAccessKey", "SessionToken"].map(
      (name) => childText(made, name),
    );
    if (accessKeyId === undefined || secretAccessKey === undefined || token === undefined) {
      throw new BrokenBodyError("The answer to CreateSession holds no credentials");
    }
    for (const secret of [secretAccessKey, token]) this.#options.registerSecret(secret);
    return { accessKeyId, secretAccessKey, sessionToken: token };
  }
}

function pathOf(key: string): string {
  const segments = key.split("/").map((segment) => encodeAws(segment));
  return `/${segments.join("/")}`;
}
