import { isJsonObject } from "../json/value.ts";
import { parseJson } from "../json/parse.ts";
import { stringifyJson } from "../json/stringify.ts";
import { parseApiAddress } from "./address.ts";
import { tellAttempt } from "./attempts.ts";
import { createCsrfTokens, isCsrfRefusal } from "./csrf.ts";
import { createDispatchers } from "./dispatchers.ts";
import { ApiError, UndecodableResponseError } from "./errors.ts";
import { buildHeaders, buildWebSocketHeaders, webSocketToken } from "./headers.ts";
import { createRedaction } from "./redaction.ts";
import { mayTryAgain, parseRetryAfter, RetryRounds } from "./retry.ts";
import { DeadlineReached, describeTransportFailure } from "./transport-failure.ts";

import type { Dispatcher } from "undici";
import type { WorkerError } from "../errors.ts";
import type { Json } from "../json/value.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { AttemptNotice } from "./attempts.ts";
import type { ProxyOptions, TlsOptions } from "./dispatchers.ts";
import type { RequestName } from "./errors.ts";
import type { Credentials } from "./headers.ts";
import type { Redact } from "./redaction.ts";
import type { RetryRules, ServerRecord } from "./retry.ts";

export interface TransportOptions extends Credentials {
  /** Root of the API, such as `http://127.0.0.1:4200/api`. */
  readonly apiUrl: string;
  /** Asks for CSRF tokens until the server says that it wants none. Default true; set it to false for Cloud. */
  readonly csrfEnabled?: boolean | undefined;
  /** Further attempts after the first. Default 5. */
  readonly maxRetries?: number | undefined;
  /** Default 0.2. */
  readonly retryJitterFactor?: number | undefined;
  readonly retryExtraCodes?: readonly number[] | undefined;
  /** Deadline of each attempt, from connecting to the last byte of the body. Default 60 s. */
  readonly requestTimeoutMs?: number | undefined;
  readonly tls?: TlsOptions | undefined;
  readonly proxies?: ProxyOptions | undefined;
  readonly clock: Clock;
  readonly random?: (() => number) | undefined;
  /** Told of each wait before another attempt. */
  readonly onRetry?: ((retry: RetryNotice) => void) | undefined;
  /** Told of each attempt. */
  readonly onAttempt?: ((notice: AttemptNotice) => void) | undefined;
}

export interface RetryNotice extends RequestName {
  /** Number of the attempt that failed, from 1. */
  readonly attempt: number;
  readonly delayMs: number;
  readonly error: WorkerError;
}

/** What every call of the client takes as its last argument. */
export interface CallOptions {
  /** Ends the call at once, also while it waits between attempts; the call then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Deadline of each attempt instead of `requestTimeoutMs`. */
  readonly deadlineMs?: number | undefined;
  /** Further attempts after the first, instead of `maxRetries`. */
  readonly retries?: number | undefined;
  /** Tries at first almost at once again what the server's database refuses: writes that cross on SQLite. */
  readonly isEager?: boolean | undefined;
  /** Told of each wait of this call before another attempt. */
  readonly onRetry?: ((retry: RetryNotice) => void) | undefined;
}

export interface ApiRequest {
  readonly method: "GET" | "POST" | "PATCH" | "PUT" | "DELETE";
  /** Below the API's root, beginning with a slash; its parts already percent-encoded. */
  readonly path: string;
  readonly body?: Json | undefined;
  /** Statuses besides 2xx that are answers, not errors; their body is null. A 404 that is a proxy's page stays an error. */
  readonly accept?: readonly number[];
  /** A 404 of a self-hosted server is an answer only if it says this; else the address is wrong. */
  readonly missingSays?: RegExp;
  /** `nothing`: an empty body is fine. `text`: the body is handed over as it is. Default `json`. */
  readonly expect?: "json" | "nothing" | "text";
  /** The answer holds secrets, so errors must not quote it. */
  readonly isSecret?: boolean;
}

interface ApiAnswer {
  readonly status: number;
  readonly body: Json;
}

/** What a WebSocket of the same API needs. */
interface WebSocketAccess {
  readonly dispatcher: Dispatcher;
  readonly headers: Readonly<Record<string, string>>;
  /** Token of the auth frame. */
  readonly token: string | null;
  urlOf(path: string): string;
}

export interface Transport {
  /** The API's root, safe to print. */
  readonly apiUrl: string;
  readonly webSocket: WebSocketAccess;
  readonly redact: Redact;
  /** Puts a connection's error into words. */
  describe(thrown: unknown, request: RequestName): WorkerError;
  /** Throws ApiError, UndecodableResponseError, UnreachableError, or the reason of the caller's signal. */
  send(request: ApiRequest, options?: CallOptions): Promise<ApiAnswer>;
  /** Ends all connections, WebSockets too. */
  close(): Promise<void>;
}

interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly text: string;
}

const MAX_REDIRECTS = 3;
const SNIPPET_BYTES = 512;

/** One API server over undici: authentication, CSRF, retries, and a deadline on every attempt (protocol §1.7). */
export function createTransport(options: TransportOptions): Transport {
  const { clock } = options;
  const address = parseApiAddress(options.apiUrl);
  const requestTimeoutMs = options.requestTimeoutMs ?? 60_000;
  const dispatchers = createDispatchers(address, {
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    ...(options.proxies === undefined ? {} : { proxies: options.proxies }),
    connectTimeoutMs: requestTimeoutMs,
  });
  const redact = createRedaction(
    address,
    options,
    dispatchers.proxyUserInfo === null ? [] : [dispatchers.proxyUserInfo],
  );
  const failureContext = { apiUrl: address.url, proxy: dispatchers.proxy, redact };
  const headers = buildHeaders(address, options);
  const rules: RetryRules = {
    extraCodes: new Set(options.retryExtraCodes),
    jitterFactor: options.retryJitterFactor ?? 0.2,
    random: options.random ?? Math.random,
  };
  const record: ServerRecord = { hasAnswered: false, hasDecoded: false };
  // One attempt only: the request that needs the token is tried again as a whole.
  const csrf = createCsrfTokens(
    async (path, deadlineMs) =>
      (await sendOnce({ method: "GET", path, isSecret: true }, { deadlineMs })).body,
    { isEnabled: options.csrfEnabled ?? true, now: () => clock.now() },
  );
  let isClosed = false;

  async function send(request: ApiRequest, call: CallOptions = {}): Promise<ApiAnswer> {
    const rounds = new RetryRounds(call.retries ?? options.maxRetries ?? 5, rules, call.isEager === true);
    let hasRenewedToken = false;
    for (let attempt = 1; ; attempt += 1) {
      call.signal?.throwIfAborted();
      try {
        return await tellAttempt(request, () => sendOnce(request, call), clock, options.onAttempt);
      } catch (thrown) {
        call.signal?.throwIfAborted();
        if (isCsrfRefusal(thrown) && !hasRenewedToken) {
          hasRenewedToken = true;
          csrf.forget();
          continue;
        }
        const isLast = isClosed || !mayTryAgain(thrown, rules, record);
        const delayMs = isLast ? undefined : rounds.delayAfter(thrown);
        if (delayMs === undefined) throw thrown;
        const notice: RetryNotice = {
          method: request.method,
          path: request.path,
          attempt,
          delayMs,
          error: thrown as WorkerError, // mayTryAgain is true for our own errors only
        };
        options.onRetry?.(notice);
        call.onRetry?.(notice);
        await clock.sleep(delayMs, call.signal);
      }
    }
  }

  async function sendOnce(request: ApiRequest, call: CallOptions): Promise<ApiAnswer> {
    const isChange = request.method !== "GET";
    const deadlineMs = call.deadlineMs ?? requestTimeoutMs;
    const csrfHeaders = isChange ? await abortable(csrf.headers(deadlineMs), call.signal) : {};
    const raw = await exchange(request, csrfHeaders, deadlineMs, call.signal);
    record.hasAnswered = true;
    if (request.accept?.includes(raw.status) === true && isFromApi(request, raw)) {
      return { status: raw.status, body: null };
    }
    if (raw.status < 200 || raw.status > 299) throw toApiError(request, raw);
    const answer = { status: raw.status, body: decode(request, raw) };
    record.hasDecoded = true;
    return answer;
  }

  async function exchange(
    request: ApiRequest,
    csrfHeaders: Readonly<Record<string, string>>,
    deadlineMs: number,
    signal: AbortSignal | undefined,
  ): Promise<RawAnswer> {
    const ending = new AbortController();
    let stage = "sending the request";
    const timer = setTimeout(
      () => ending.abort(new DeadlineReached(`no complete answer within ${deadlineMs / 1000} s (${stage})`)),
      deadlineMs,
    );
    const abort = (): void => ending.abort(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      let origin = address.origin;
      let path = address.basePath + request.path;
      for (let redirects = 0; ; redirects += 1) {
        stage = "no status line came";
        // undici heeds the signal of a request only once it has a connection for it, so both are watched here.
        const sent = dispatchers.http.request({
          origin,
          path,
          method: request.method,
          headers: {
            ...headers,
            ...csrfHeaders,
            accept: "application/json",
            ...(request.body === undefined ? {} : { "content-type": "application/json" }),
          },
          body: request.body === undefined ? null : stringifyJson(request.body),
          signal: ending.signal,
        });
        const response = await abortable(sent, ending.signal);
        stage = "the body did not end";
        const text = await response.body.text();
        const answer = { status: response.statusCode, headers: response.headers, text };
        const next = redirects < MAX_REDIRECTS ? redirectTarget(request, answer, origin + path) : undefined;
        if (next === undefined) return answer;
        origin = next.origin;
        path = next.pathname + next.search;
      }
    } catch (thrown) {
      signal?.throwIfAborted();
      throw describeTransportFailure(
        ending.signal.aborted ? ending.signal.reason : thrown,
        request,
        failureContext,
      );
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  }

  function isFromApi(request: ApiRequest, raw: RawAnswer): boolean {
    if (raw.status !== 404) return true;
    const says = request.missingSays;
    return isJson(raw.text) && (says === undefined || address.isCloud || says.test(detailOf(raw)));
  }

  function toApiError(request: ApiRequest, raw: RawAnswer): ApiError {
    const retryAfter = headerOf(raw, "retry-after");
    return new ApiError({
      method: request.method,
      path: request.path,
      status: raw.status,
      detail: redact(detailOf(raw)),
      retryAfterMs: retryAfter === undefined ? undefined : parseRetryAfter(retryAfter, clock.now()),
      isMaintenance: headerOf(raw, "prefect-maintenance") === "true",
      hint: hintOf(raw, address.url),
      // A page instead of the API's own words: the API behind the proxy may be back soon.
      ...(raw.status === 404 && !isJson(raw.text) ? { retryable: true } : {}),
    });
  }

  function decode(request: ApiRequest, raw: RawAnswer): Json {
    const isEmpty = raw.text.trim() === "";
    if (request.expect === "text") return raw.text;
    if (isEmpty && (request.expect === "nothing" || raw.status === 204)) return null;
    try {
      return parseJson(raw.text);
    } catch (thrown) {
      throw new UndecodableResponseError({
        method: request.method,
        path: request.path,
        status: raw.status,
        contentType: headerOf(raw, "content-type") ?? "no content type",
        snippet: request.isSecret === true ? "(not shown)" : redact(snippetOf(raw.text)),
        // A SyntaxError quotes its input, too.
        ...(request.isSecret === true ? {} : { cause: thrown }),
      });
    }
  }

  return {
    apiUrl: address.url,
    redact,
    webSocket: {
      dispatcher: dispatchers.webSocket,
      headers: buildWebSocketHeaders(address, options),
      token: webSocketToken(options),
      urlOf: (path) => address.url.replace(/^http/, "ws") + path,
    },
    describe: (thrown, request) => describeTransportFailure(thrown, request, failureContext),
    send,
    close() {
      isClosed = true;
      return dispatchers.close();
    },
  };
}

/** Rejects as soon as the signal is aborted; the promise itself, which others may share, goes on. */
async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  let abort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    if (abort !== undefined) signal.removeEventListener("abort", abort);
  }
}

/**
 * Where a redirect leads, if it may be followed: on the same host (credentials go along), not from TLS to plain, and without
 * turning a POST into a GET, as 301 and 302 would.
 */
function redirectTarget(request: ApiRequest, raw: RawAnswer, from: string): URL | undefined {
  const isFollowed = request.method === "GET" ? [301, 302, 303, 307, 308] : [307, 308];
  const location = headerOf(raw, "location");
  if (location === undefined || !isFollowed.includes(raw.status) || !URL.canParse(location, from)) {
    return undefined;
  }
  const source = new URL(from);
  const target = new URL(location, from);
  const isDowngrade = source.protocol === "https:" && target.protocol !== "https:";
  return target.hostname === source.hostname && !isDowngrade ? target : undefined;
}

function headerOf(raw: RawAnswer, name: string): string | undefined {
  const value = raw.headers[name];
  return typeof value === "string" ? value : value?.[0];
}

/** The server's explanation: FastAPI's `detail`, Prefect's `exception_message`, or the start of the body. */
function detailOf(raw: RawAnswer): string {
  let body: Json = null;
  try {
    body = parseJson(raw.text);
  } catch {
    return snippetOf(raw.text); // a proxy's page
  }
  if (!isJsonObject(body)) return snippetOf(raw.text);
  const detail = body["detail"] ?? body["exception_message"];
  const more = body["exception_detail"];
  const text = typeof detail === "string" ? detail : raw.text;
  return snippetOf(
    more === undefined || typeof detail !== "string" ? text : `${text} ${stringifyJson(more)}`,
  );
}

function isJson(text: string): boolean {
  try {
    return isJsonObject(parseJson(text));
  } catch {
    return false;
  }
}

function snippetOf(text: string): string {
  const start = Buffer.from(text)
    .subarray(0, SNIPPET_BYTES)
    .toString()
    .replace(/\uFFFD$/, "");
  return start.length < text.length ? `${start}…` : text;
}

function hintOf(raw: RawAnswer, apiUrl: string): string | undefined {
  const location = headerOf(raw, "location");
  if (raw.status >= 300 && raw.status < 400 && location !== undefined && URL.canParse(location, apiUrl)) {
    const target = new URL(location, apiUrl);
    return `The address redirects to ${target.origin}${target.pathname}: set PREFECT_API_URL to the API behind it.`;
  }
  if (raw.status === 404 || raw.status === 405) {
    return `Check that ${apiUrl} is the root of the API (it usually ends in /api); an old server may lack this call.`;
  }
  if (raw.status === 401)
    return "Check PREFECT_API_KEY (Prefect Cloud) or PREFECT_API_AUTH_STRING (own server).";
  if (raw.status === 403) return "The key or user has no right to this; check its role.";
  if (raw.status === 407) return "Put the proxy's user and password into HTTPS_PROXY or HTTP_PROXY.";
  return undefined;
}
