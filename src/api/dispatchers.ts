import { readFileSync } from "node:fs";
import { isIPv6, Socket } from "node:net";
import { Agent, buildConnector, EnvHttpProxyAgent, Pool } from "undici";

import { coerceError, WorkerError } from "../errors.ts";
import { userInfoOf } from "./address.ts";

import type { Dispatcher } from "undici";
import type { ApiAddress } from "./address.ts";

export interface TlsOptions {
  /** Accepts any certificate (PREFECT_API_TLS_INSECURE_SKIP_VERIFY). */
  readonly insecureSkipVerify?: boolean | undefined;
  /** PEM file whose certificates are trusted instead of the built-in ones (PREFECT_API_SSL_CERT_FILE, SSL_CERT_FILE). */
  readonly caFile?: string | null | undefined;
}

/** Values of the environment variables of the same names. */
export interface ProxyOptions {
  readonly httpProxy?: string | undefined;
  readonly httpsProxy?: string | undefined;
  readonly allProxy?: string | undefined;
  readonly noProxy?: string | undefined;
}

/** The connections of one client. Both dispatchers share TLS options, proxy and exceptions. */
export interface Dispatchers {
  readonly http: Dispatcher;
  readonly webSocket: Dispatcher;
  /** Origin of the proxy in use, without user and password. */
  readonly proxy: string | null;
  /** `user:password` of the proxy, for redaction. */
  readonly proxyUserInfo: string | null;
  close(): Promise<void>;
}

// Enough for the calls of 200 runs; a server on SQLite serves no more at a time anyway.
const MAX_CONNECTIONS = 32;

/**
 * Opens no connection yet. Deadlines are the transport's; only what it cannot reach (connecting, asking a proxy) is bounded by
 * `connectTimeoutMs` here. Throws CONFIG_INVALID for an unreadable CA file or proxy address.
 */
export function createDispatchers(
  address: ApiAddress,
  options: { tls?: TlsOptions; proxies?: ProxyOptions; connectTimeoutMs: number },
): Dispatchers {
  const tls = tlsSettings(options.tls ?? {});
  const agentOptions = {
    connections: MAX_CONNECTIONS,
    headersTimeout: 0,
    bodyTimeout: 0,
  };
  const proxy = proxyFor(address, options.proxies ?? {});
  if (proxy === undefined) {
    const dialler = createDialler({ ...tls, timeout: options.connectTimeoutMs });
    const agent = new Agent({ ...agentOptions, connect: dialler.connect });
    return {
      http: agent,
      webSocket: agent,
      proxy: null,
      proxyUserInfo: null,
      async close() {
        const destroyed = agent.destroy();
        dialler.hangUp();
        await destroyed;
      },
    };
  }

  const proxyUserInfo = userInfoOf(proxy);
  const proxyTls = { ...tls, timeout: options.connectTimeoutMs };
  const common = {
    ...agentOptions,
    connect: { ...tls, timeout: options.connectTimeoutMs },
    // Both are given, and noProxy too, so that undici reads nothing from the environment.
    httpProxy: proxy.origin,
    httpsProxy: proxy.origin,
    noProxy: noProxyList(options.proxies?.noProxy ?? ""),
    requestTls: tls,
    proxyTls,
    clientFactory: (origin: URL, poolOptions: object) =>
      new Pool(origin, { ...poolOptions, headersTimeout: options.connectTimeoutMs }),
    ...(proxyUserInfo === null ? {} : { token: `Basic ${Buffer.from(proxyUserInfo).toString("base64")}` }),
  };
  // As httpx does: plain http requests go to the proxy itself, without CONNECT, which many proxies allow for port 443 only.
  // WebSockets always need a tunnel.
  const http = new EnvHttpProxyAgent({ ...common, proxyTunnel: false });
  const webSocket = address.isTls ? http : new EnvHttpProxyAgent({ ...common, proxyTunnel: true });
  return {
    http,
    webSocket,
    proxy: proxy.origin,
    proxyUserInfo,
    close: async () => void (await Promise.all([http.destroy(), webSocket.destroy()])),
  };
}

interface Dialler {
  readonly connect: buildConnector.connector;
  /**
   * Ends what a destroyed agent leaves behind: connections that are still being made, and those of a pool that it had dropped
   * as unused while a request was on its way to it.
   */
  hangUp(): void;
}

function createDialler(settings: buildConnector.BuildOptions): Dialler {
  const dial = buildConnector(settings);
  const sockets = new Set<Socket>();
  return {
    connect(target, callback) {
      // The socket is returned, whatever undici's types say.
      const socket: unknown = dial(target, callback);
      if (!(socket instanceof Socket)) return;
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
    },
    hangUp() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

function tlsSettings({ insecureSkipVerify = false, caFile }: TlsOptions): {
  rejectUnauthorized: boolean;
  ca?: string;
} {
  if (insecureSkipVerify || caFile === null || caFile === undefined || caFile === "") {
    return { rejectUnauthorized: !insecureSkipVerify };
  }
  try {
    return { rejectUnauthorized: true, ca: readFileSync(caFile, "utf8") };
  } catch (thrown) {
    throw new WorkerError("CONFIG_INVALID", `The CA file ${caFile} cannot be read`, {
      cause: coerceError(thrown),
      hint: "Correct PREFECT_API_SSL_CERT_FILE or SSL_CERT_FILE.",
    });
  }
}

function proxyFor(address: ApiAddress, proxies: ProxyOptions): URL | undefined {
  const [name, value] = address.isTls
    ? ["HTTPS_PROXY", proxies.httpsProxy || proxies.allProxy]
    : ["HTTP_PROXY", proxies.httpProxy || proxies.allProxy];
  if (value === undefined || value === "") return undefined;
  const text = value.includes("://") ? value : `http://${value}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !["http:", "https:", "socks5:"].includes(url.protocol)) {
    throw new WorkerError("CONFIG_INVALID", `${name} or ALL_PROXY is no address of a proxy`, {
      hint: "Write it as http://host:port, with user:password@ before the host if it asks for them.",
    });
  }
  return url;
}

/** In undici's words: `*` alone means everything, and IPv6 addresses stand in brackets. */
function noProxyList(text: string): string {
  const entries = text.split(/[,\s]+/).filter((entry) => entry !== "");
  if (entries.includes("*")) return "*";
  return entries.map((entry) => (isIPv6(entry) ? `[${entry}]` : entry)).join(",");
}
