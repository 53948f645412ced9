import { childText, parseXml } from "./xml.ts";

import type { Answer } from "./exchange.ts";

/** S3 answered a request with an error. */
export class S3Failure extends Error {
  override readonly name = "S3Failure";
  readonly status: number;
  /** S3's own code such as NoSuchBucket; empty when the answer was not S3's. */
  readonly code: string;
  /** Region in which the bucket really is, when the answer says so. */
  readonly region: string | undefined;
  /** The object asked for; undefined for the listing. */
  readonly key: string | undefined;

  constructor(answer: Answer, key: string | undefined) {
    const error = parseXml(answer.body.toString("utf8"));
    const isS3s = error?.name === "Error";
    const code = isS3s ? (childText(error, "Code") ?? "") : "";
    super((isS3s ? childText(error, "Message") : firstWords(answer.body)) ?? "");
    this.status = answer.status;
    this.code = code;
    const header = answer.headers["x-amz-bucket-region"];
    this.region =
      (typeof header === "string" ? header : undefined) ??
      (childText(isS3s ? error : undefined, "Region") || undefined);
    this.key = key;
  }
}

/** An answer with status 2xx that makes no sense. */
export class OddAnswer extends Error {
  override readonly name = "OddAnswer";
}

const RETRYABLE_STATUS: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504, 509]);
const RETRYABLE_CODES: ReadonlySet<string> = new Set([
  "InternalError",
  "RequestTimeout",
  "ServiceUnavailable",
  "SlowDown",
  "Throttling",
  "ThrottlingException",
  "TooManyRequestsException",
]);

// Trying again does not mend these.
const LASTING =
  /^(?:ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|UND_ERR_(?:INVALID_ARG|DESTROYED|CLOSED|ABORTED|PRX_TLS))|^EPROTO$/;

/** Whether the same request may succeed a little later. */
export function isTransient(thrown: unknown): boolean {
  if (thrown instanceof S3Failure)
    return RETRYABLE_STATUS.has(thrown.status) || RETRYABLE_CODES.has(thrown.code);
  if (!(thrown instanceof Error)) return false;
  if (thrown.name === "BrokenBodyError") return true;
  const code = codeOf(thrown);
  return /^(?:UND_ERR_|E[A-Z]+$|HPE_)/.test(code) && !LASTING.test(code) && !isFileError(thrown);
}

export function codeOf(thrown: unknown): string {
  return typeof thrown === "object" && thrown !== null && "code" in thrown ? String(thrown.code) : "";
}

/** An error of the local file system, which names a path. */
function isFileError(thrown: unknown): boolean {
  return thrown instanceof Error && "path" in thrown;
}

function firstWords(body: Buffer): string {
  return body.toString("utf8", 0, 200).replaceAll(/\s+/g, " ").trim();
}
