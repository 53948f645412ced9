import { exchange } from "./exchange.ts";

import type { Transport } from "./transport.ts";

interface SdkRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

const MAX_ANSWER_BYTES = 1024 * 1024;

/** Lets the SDK's clients (STS) use our connections, since its own know neither proxies nor the CA that is configured. */
export function createSdkHandler(transport: Transport) {
  return {
    async handle(request: SdkRequest) {
      const port = request.port === undefined ? "" : `:${request.port}`;
      const url = new URL(`${request.protocol}//${request.hostname}${port}`);
      const query = Object.entries(request.query ?? {}).flatMap(([name, value]) =>
        (Array.isArray(value) ? value : [value ?? ""]).map(
          (text: string) => `${encodeURIComponent(name)}=${encodeURIComponent(text)}`,
        ),
      );
      const { body } = request;
      const answer = await exchange(
        {
          dispatcher: transport.dispatcherFor(url),
          origin: url.origin,
          method: request.method === "POST" || request.method === "PUT" ? request.method : "GET",
          path: query.length === 0 ? request.path : `${request.path}?${query.join("&")}`,
          headers: request.headers,
          body: typeof body === "string" || body instanceof Uint8Array ? body : undefined,
        },
        { maxBodyBytes: MAX_ANSWER_BYTES },
      );
      const headers = Object.entries(answer.headers).map(([name, value]) => [name, String(value)]);
      return {
        response: {
          statusCode: answer.status,
          headers: Object.fromEntries(headers) as Record<string, string>,
          body: answer.body,
        },
      };
    },
    updateHttpClientConfig(): void {},
    httpHandlerConfigs: () => ({}),
    destroy(): void {},
  };
}
