import { nameOf, UnreachableError } from "./errors.ts";

import type { RequestName, TransportFailure } from "./errors.ts";
import type { Redact } from "./redaction.ts";

export interface FailureContext {
  /** The API's root, without user and password. */
  readonly apiUrl: string;
  /** The proxy's origin, when requests go through one. */
  readonly proxy: string | null;
  readonly redact: Redact;
}

/** Thrown into a request by its own deadline. */
export class DeadlineReached extends Error {
  override readonly name = "DeadlineReached";
}

interface Diagnosis {
  readonly failure: TransportFailure;
  readonly text: string;
  readonly hint?: string;
}

const CONNECT_HINT = "Check that the server runs and that PREFECT_API_URL points at it.";
const CERTIFICATE_HINT =
  "Set PREFECT_API_SSL_CERT_FILE to the file of the CA that signed it (or PREFECT_API_TLS_INSECURE_SKIP_VERIFY=true for a test).";

const UNTRUSTED_CERTIFICATE = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "CERT_UNTRUSTED",
  "CERT_SIGNATURE_FAILURE",
]);

/** Puts an undici or socket error into words: what happened, where, and what to look at. */
export function describeTransportFailure(
  thrown: unknown,
  request: RequestName,
  context: FailureContext,
): UnreachableError {
  const diagnosis = diagnose(thrown, context);
  return new UnreachableError(
    diagnosis.failure,
    context.redact(`No answer to ${nameOf(request)}: ${diagnosis.text}`),
    diagnosis.hint === undefined ? { cause: thrown } : { cause: thrown, hint: diagnosis.hint },
  );
}

function diagnose(thrown: unknown, { apiUrl, proxy }: FailureContext): Diagnosis {
  const where = proxy === null ? apiUrl : `${apiUrl} (through the proxy ${proxy})`;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  if (thrown instanceof DeadlineReached) {
    return { failure: "timeout", text: `${message} at ${where}`, hint: CONNECT_HINT };
  }
  const code = codeOf(thrown);
  if (UNTRUSTED_CERTIFICATE.has(code)) {
    return {
      failure: "connect",
      text: `certificate not trusted at ${where} (${code})`,
      hint: CERTIFICATE_HINT,
    };
  }
  const proxyStatus = /Proxy response \((\d+)\)/.exec(message)?.[1] ?? /\((407)\)/.exec(message)?.[1];
  if (proxyStatus !== undefined) {
    return {
      failure: "connect",
      text: `the proxy ${proxy ?? ""} answered ${proxyStatus} instead of connecting to ${apiUrl}`,
      hint:
        proxyStatus === "407"
          ? "Put the proxy's user and password into HTTPS_PROXY or HTTP_PROXY (http://user:password@host:port)."
          : "Add the API's host to NO_PROXY if it needs no proxy.",
    };
  }
  switch (code) {
    case "ECONNREFUSED":
      return { failure: "connect", text: `connection refused at ${where}`, hint: CONNECT_HINT };
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EAI_FAIL":
      return {
        failure: "connect",
        text: `the name of ${hostOf(thrown) ?? "the host"} cannot be resolved (${where}, ${code})`,
        hint: "Check the host name in PREFECT_API_URL and this machine's DNS.",
      };
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "EADDRNOTAVAIL":
      return { failure: "connect", text: `no route to ${where} (${code})`, hint: CONNECT_HINT };
    case "UND_ERR_CONNECT_TIMEOUT":
    case "ETIMEDOUT":
      return { failure: "timeout", text: `no connection in time at ${where}`, hint: CONNECT_HINT };
    case "UND_ERR_HEADERS_TIMEOUT":
    case "UND_ERR_BODY_TIMEOUT":
      return { failure: "timeout", text: `the answer did not come in time at ${where}` };
    case "CERT_HAS_EXPIRED":
    case "CERT_NOT_YET_VALID":
      return {
        failure: "connect",
        text: `certificate outside its dates at ${where} (${code})`,
        hint: "Renew the server's certificate, or set this machine's clock.",
      };
    case "ERR_TLS_CERT_ALTNAME_INVALID":
    case "UND_ERR_PRX_TLS":
      return {
        failure: "connect",
        text: `the certificate does not belong to this host at ${where}`,
        hint: "Use a host name in PREFECT_API_URL that the certificate names.",
      };
    case "EPROTO":
      return {
        failure: "connect",
        text: `no TLS at ${where} (${code})`,
        hint: "Use http:// in PREFECT_API_URL if the server speaks no TLS.",
      };
    case "UND_ERR_INVALID_ARG":
      return {
        failure: "connect",
        text: `the request to ${where} cannot be sent (${message})`,
        hint: "Look for line breaks or other strange characters in PREFECT_API_KEY, PREFECT_API_AUTH_STRING and the custom headers.",
      };
    case "ECONNRESET":
    case "EPIPE":
    case "UND_ERR_SOCKET":
      return { failure: "exchange", text: `the connection to ${where} broke (${message})` };
    default:
      if (code.startsWith("ERR_SSL_")) {
        return {
          failure: "connect",
          text: `no TLS at ${where} (${code})`,
          hint: "Use http:// in PREFECT_API_URL if the server speaks no TLS.",
        };
      }
      return {
        failure: "exchange",
        text: `${message} at ${where}${code === "" ? "" : ` (${code})`}`,
      };
  }
}

function codeOf(thrown: unknown): string {
  return typeof thrown === "object" && thrown !== null && "code" in thrown ? String(thrown.code) : "";
}

function hostOf(thrown: unknown): string | undefined {
  return typeof thrown === "object" && thrown !== null && "hostname" in thrown
    ? String(thrown.hostname)
    : undefined;
}
