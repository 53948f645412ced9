import type { IncomingHttpHeaders } from "node:http";

const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Whether a browser sends this request for a page of another site. Such a page could otherwise start programs through an open
 * server on its reader's own machine, for browsers do send a plain POST across sites. They do not let the page read the answer
 * of a GET, so that is left alone. Programs do not send the header.
 */
export function isForeignRequest(method: string, headers: IncomingHttpHeaders): boolean {
  return headers["sec-fetch-site"] === "cross-site" && !SAFE_METHODS.has(method);
}

/**
 * Whether a browser opens this WebSocket for a page of another origin: it could read all that comes. Here browsers send only
 * `Origin`; behind a proxy it is the host that the proxy was asked for.
 */
export function isForeignSocket({
  origin,
  host,
  "x-forwarded-host": forwarded,
}: IncomingHttpHeaders): boolean {
  if (origin === undefined) return false;
  const from = URL.canParse(origin) ? new URL(origin).host : origin;
  return from !== host && from !== forwarded;
}
