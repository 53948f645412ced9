import { readFileSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";

import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";

const TYPES: Readonly<Record<string, string>> = {
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** Everything from this server, nothing inline, nothing that could be framed or could send a form elsewhere. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "img-src 'self' data:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join("; ");

const HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": CONTENT_SECURITY_POLICY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
};

/** First parts of the addresses that the page has views for (`routes.ts` of the page). */
const VIEWS: ReadonlySet<string> = new Set([
  "",
  "work-pools",
  "runs",
  "flow-runs",
  "deployments",
  "variables",
  "blocks",
]);

const A_YEAR = "public, max-age=31536000, immutable";

/**
 * Serves the built page (`dist/page`) outside `/api`: its files, and its HTML for the address of every view. What it does
 * not know it answers as the page's "not found" to a browser, and as the API does (`unknown`) to anything else. Only the HTML (half a
 * kilobyte) is held in memory: browsers ask for the other files once. Without a built page there is only the API.
 */
export function addPage(
  app: FastifyInstance,
  directory: string,
  unknown: (path: string) => { readonly status: number; readonly detail: string },
): void {
  const html = readIfThere(join(directory, "index.html"));
  const assets = html === undefined ? [] : readdirSync(join(directory, "assets"));
  for (const name of assets.filter((file) => !file.endsWith(".gz"))) {
    const path = join(directory, "assets", name);
    // The icon has no hash in its name.
    const cacheControl = name.includes("-") ? A_YEAR : "public, max-age=3600";
    app.get(`/assets/${name}`, async (request, reply) => {
      const isPacked = /\bgzip\b/.test(request.headers["accept-encoding"] ?? "");
      const contents = await readFile(isPacked ? `${path}.gz` : path);
      if (isPacked) reply.header("content-encoding", "gzip");
      return reply
        .headers(HEADERS)
        .header("cache-control", cacheControl)
        .header("vary", "accept-encoding")
        .type(TYPES[extname(name)] ?? "application/octet-stream")
        .send(contents);
    });
  }
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split("?", 1)[0] ?? "";
    const [, view = ""] = path.split("/", 2);
    if (html === undefined || !wantsPage(request, view)) {
      const { status, detail } = unknown(path);
      return reply.status(status).send({ detail });
    }
    return sendPage(reply.status(VIEWS.has(view) ? 200 : 404), html);
  });
}

function sendPage(reply: FastifyReply, html: string): FastifyReply {
  return reply
    .headers(HEADERS)
    .header("cache-control", "no-cache")
    .type("text/html; charset=utf-8")
    .send(html);
}

function wantsPage({ method, headers }: FastifyRequest, view: string): boolean {
  if (view === "api" || view === "assets" || (method !== "GET" && method !== "HEAD")) return false;
  return VIEWS.has(view) || (headers.accept ?? "").includes("text/html");
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
