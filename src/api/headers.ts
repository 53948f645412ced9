import type { ApiAddress } from "./address.ts";

/** Version of the REST API that this client speaks; Prefect 2.x and 3.x say the same (protocol §1.7). */
const API_VERSION = "0.8.4";

// prefect/client/base.py and prefect/_internal/websockets.py: headers that custom ones may not replace.
const PROTECTED = ["user-agent", "prefect-csrf-token", "prefect-csrf-client"];
const PROTECTED_ON_WEBSOCKETS = [
  "user-agent",
  "sec-websocket-key",
  "sec-websocket-version",
  "sec-websocket-extensions",
  "sec-websocket-protocol",
  "connection",
  "upgrade",
  "host",
];

export interface Credentials {
  readonly authString?: string | null | undefined;
  readonly apiKey?: string | null | undefined;
  readonly customHeaders?: Readonly<Record<string, string>> | undefined;
  readonly userAgentVersion: string;
}

/**
 * Headers of every request, with lower-case names. An auth string makes the key irrelevant; user and password in the URL come
 * before both, as httpx does it. Custom headers may replace all but the protected ones.
 */
export function buildHeaders(address: ApiAddress, credentials: Credentials): Record<string, string> {
  return withCustom(standardHeaders(address, credentials), credentials, PROTECTED);
}

/** Headers of a WebSocket's handshake. */
export function buildWebSocketHeaders(address: ApiAddress, credentials: Credentials): Record<string, string> {
  return withCustom(standardHeaders(address, credentials), credentials, PROTECTED_ON_WEBSOCKETS);
}

function standardHeaders(address: ApiAddress, credentials: Credentials): Record<string, string> {
  const authorization = authorizationOf(address, credentials);
  return {
    // The server reads a version out of "prefect/X (API Y)" only; any other form is an unknown client, which suits a worker.
    "user-agent": `lighterman/${credentials.userAgentVersion} (API ${API_VERSION})`,
    "x-prefect-api-version": API_VERSION,
    ...(authorization === undefined ? {} : { authorization }),
  };
}

function authorizationOf(address: ApiAddress, credentials: Credentials): string | undefined {
  const basic = address.userInfo ?? nonEmpty(credentials.authString);
  if (basic !== undefined) return `Basic ${Buffer.from(basic).toString("base64")}`;
  const key = nonEmpty(credentials.apiKey);
  return key === undefined ? undefined : `Bearer ${key}`;
}

/** What the auth frame of an events socket carries. */
export function webSocketToken(credentials: Credentials): string | null {
  return nonEmpty(credentials.authString) ?? nonEmpty(credentials.apiKey) ?? null;
}

function withCustom(
  headers: Record<string, string>,
  { customHeaders = {} }: Credentials,
  protectedNames: readonly string[],
): Record<string, string> {
  for (const [name, value] of Object.entries(customHeaders)) {
    const lower = name.toLowerCase();
    if (!protectedNames.includes(lower)) headers[lower] = value;
  }
  return headers;
}

function nonEmpty(text: string | null | undefined): string | undefined {
  return text === null || text === "" ? undefined : text;
}
