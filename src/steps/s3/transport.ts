import { readFile } from "node:fs/promises";
import { Agent, ProxyAgent } from "undici";

import { coerceError } from "../../errors.ts";
import { StepError } from "../errors.ts";

import type { Dispatcher } from "undici";
import type { StepContext } from "../types.ts";
import type { S3Settings } from "./settings.ts";

/** The connections of one step: kept open between requests, through a proxy where the environment names one. */
export interface Transport {
  dispatcherFor(url: URL): Dispatcher;
  /** Origin of the proxy that requests to `url` go through, without user and password. */
  proxyOf(url: URL): string | undefined;
  /** Breaks off all requests with this reason. */
  destroy(reason?: Error): Promise<void>;
}

/** Opens no connection yet. Throws a StepError for a certificate file that cannot be read. */
export async function createTransport(settings: S3Settings, env: StepContext["env"]): Promise<Transport> {
  const { clientCertificate: certificate } = settings;
  const tls = {
    rejectUnauthorized: settings.isCertificateVerified,
    ...(settings.caFile === undefined ? {} : { ca: await readPem(settings.caFile) }),
    ...(certificate === undefined
      ? {}
      : { cert: await readPem(certificate.certFile), key: await readPem(certificate.keyFile) }),
  };
  const options: Agent.Options = {
    connections: settings.maxConnections,
    headersTimeout: settings.readTimeoutMs,
    bodyTimeout: settings.readTimeoutMs,
    connect: { ...tls, timeout: settings.connectTimeoutMs },
  };
  const proxies = settings.proxies ?? proxiesOf(env);
  const exceptions = settings.proxies === undefined ? (env["no_proxy"] ?? env["NO_PROXY"] ?? "") : "";
  const dispatchers = new Map<string, Dispatcher>();

  function proxyFor(url: URL): URL | undefined {
    const text = proxies[url.protocol.slice(0, -1)] || undefined;
    if (text === undefined || isExempt(url, exceptions)) return undefined;
    const address = text.includes("://") ? text : `http://${text}`;
    if (URL.canParse(address)) return new URL(address);
    throw new StepError(`The proxy for ${url.protocol}// is no URL`, {
      hint: "Correct HTTPS_PROXY or HTTP_PROXY, or the proxies of the block's config.",
    });
  }

  function createDispatcher(proxy: URL | undefined): Dispatcher {
    if (proxy === undefined) return new Agent(options);
    // Plain http goes to the proxy as it is, as Python's clients do; only https needs a tunnel.
    return new ProxyAgent({ ...options, uri: proxy.href, requestTls: tls, proxyTunnel: false });
  }

  return {
    dispatcherFor(url) {
      const proxy = proxyFor(url);
      const key = proxy?.href ?? "";
      const dispatcher = dispatchers.get(key) ?? createDispatcher(proxy);
      dispatchers.set(key, dispatcher);
      return dispatcher;
    },
    proxyOf: (url) => proxyFor(url)?.origin,
    async destroy(reason = new Error("The step has ended")) {
      await Promise.all([...dispatchers.values()].map((dispatcher) => dispatcher.destroy(reason)));
    },
  };
}

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (thrown) {
    throw new StepError(`The certificate file ${path} cannot be read: ${coerceError(thrown).message}`, {
      cause: thrown,
      hint: "verify_cert_path, AWS_CA_BUNDLE and the like must name a file on the worker's machine.",
    });
  }
}

/** A lower-case name wins (Python: urllib.request.getproxies). */
function proxiesOf(env: StepContext["env"]): Readonly<Record<string, string>> {
  const read = (name: string): string => env[name] ?? env[name.toUpperCase()] ?? "";
  const all = read("all_proxy");
  return { http: read("http_proxy") || all, https: read("https_proxy") || all };
}

/** Python's rule: an entry names a host and everything below it, with or without a port; `*` means all. */
function isExempt(url: URL, exceptions: string): boolean {
  const host = url.hostname.toLowerCase();
  return exceptions
    .toLowerCase()
    .split(/[,\s]+/)
    .some((entry) => {
      const name = entry.replace(/^\*?\./, "");
      if (name === "") return false;
      return name === "*" || [host, url.host].some((own) => own === name || own.endsWith(`.${name}`));
    });
}
