import type { EnvironmentVariables } from "./environment.ts";

/** Proxies as the environment names them; their URLs may hold passwords. */
export interface ProxySettings {
  readonly https: string | undefined;
  readonly http: string | undefined;
  /** For either scheme that has none of its own. */
  readonly all: string | undefined;
  /** Hosts to reach directly, with commas between them. */
  readonly no: string | undefined;
}

/** Reads the customary variables; a lower-case name wins, also when it is empty (Python: urllib.request.getproxies). */
export function readProxySettings(env: EnvironmentVariables): ProxySettings {
  const read = (name: string): string | undefined => (env[name] ?? env[name.toUpperCase()]) || undefined;
  return {
    https: read("https_proxy"),
    // A CGI server puts a request's `Proxy:` header into HTTP_PROXY.
    http: env["REQUEST_METHOD"] === undefined ? read("http_proxy") : env["http_proxy"] || undefined,
    all: read("all_proxy"),
    no: read("no_proxy"),
  };
}
