import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

export interface FakeObject {
  readonly key: string;
  readonly content: string | Buffer;
}

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** Answers a request itself, or leaves it to the fake by returning false. */
type Fault = (request: SeenRequest, response: ServerResponse) => boolean;

export interface FakeS3Options {
  readonly objects?: readonly FakeObject[];
  readonly pageSize?: number;
  readonly fault?: Fault;
  /** Knows no encoding-type, so keys come as they are, like versitygw's. */
  readonly isPlain?: boolean;
  readonly tls?: { readonly key: string; readonly cert: string };
}

/** A bucket `bucket` behind node:http, path-style; checks no signature but answers whatever a test wants to see. */
export class FakeS3 implements AsyncDisposable {
  readonly requests: SeenRequest[] = [];
  readonly url: string;
  readonly #options: FakeS3Options;
  readonly #close: () => Promise<void>;

  private constructor(url: string, options: FakeS3Options, close: () => Promise<void>) {
    this.url = url;
    this.#options = options;
    this.#close = close;
  }

  static async start(options: FakeS3Options = {}): Promise<FakeS3> {
    const sockets = new Set<Socket>();
    const onRequest = (request: IncomingMessage, response: ServerResponse) =>
      void fake.#answer(request, response);
    const server =
      options.tls === undefined ? createServer(onRequest) : createTlsServer({ ...options.tls }, onRequest);
    server.on("connection", (socket: Socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined).once("close", () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const scheme = options.tls === undefined ? "http" : "https";
    const fake = new FakeS3(`${scheme}://127.0.0.1:${port}`, options, async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    });
    return fake;
  }

  /** Keys asked for, in order. */
  get keys(): readonly string[] {
    return this.requests
      .filter(({ path }) => path.startsWith("/bucket/"))
      .map(({ path }) => decodeURIComponent(path.slice("/bucket/".length)));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    // Not by URL, which would resolve dots.
    const [path = "", query = ""] = (request.url ?? "").split("?");
    const seen: SeenRequest = {
      method: request.method ?? "",
      path,
      query: new URLSearchParams(query),
      headers: request.headers,
      body: Buffer.concat(chunks).toString("utf8"),
    };
    this.requests.push(seen);
    if (this.#options.fault?.(seen, response) === true) return;
    if (path === "/bucket") this.#list(seen, response);
    else if (path.startsWith("/bucket/")) this.#get(seen, response);
    else sendError(response, 404, "NoSuchBucket", "no such bucket");
  }

  #list({ query }: SeenRequest, response: ServerResponse): void {
    const prefix = query.get("prefix") ?? "";
    const { objects = [], pageSize = 1000, isPlain = false } = this.#options;
    const start = Number((query.get("continuation-token") ?? "page 0").slice(5));
    const matching = objects.filter(({ key }) => key.startsWith(prefix));
    const page = matching.slice(start, start + pageSize);
    const end = start + page.length;
    const encode = (key: string) =>
      isPlain ? escapeXml(key) : encodeURIComponent(key).replaceAll("%20", "+").replaceAll("%2F", "/");
    const contents = page.map(
      ({ key, content }) =>
        `<Contents><Key>${encode(key)}</Key><ETag>&quot;${etagOf(content)}&quot;</ETag><Size>${Buffer.byteLength(content)}</Size></Contents>`,
    );
    const isTruncated = end < matching.length;
    response
      .writeHead(200, { "content-type": "application/xml" })
      .end(
        `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` +
          `<Name>bucket</Name>${isPlain ? "" : "<EncodingType>url</EncodingType>"}<IsTruncated>${isTruncated}</IsTruncated>` +
          `${isTruncated ? `<NextContinuationToken>page ${end}</NextContinuationToken>` : ""}${contents.join("")}</ListBucketResult>`,
      );
  }

  #get({ path, headers }: SeenRequest, response: ServerResponse): void {
    const key = decodeURIComponent(path.slice("/bucket/".length));
    const object = this.#options.objects?.find((candidate) => candidate.key === key);
    if (object === undefined) {
      sendError(response, 404, "NoSuchKey", "no such key");
      return;
    }
    const content = Buffer.from(object.content);
    const etag = `"${etagOf(object.content)}"`;
    if (headers["if-match"] !== undefined && headers["if-match"] !== etag) {
      sendError(response, 412, "PreconditionFailed", "changed");
      return;
    }
    const range = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? "");
    const body = range === null ? content : content.subarray(Number(range[1]), Number(range[2]) + 1);
    response.writeHead(range === null ? 200 : 206, { etag, "content-length": body.length }).end(body);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }
}

export function sendError(
  response: ServerResponse,
  status: number,
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): true {
  response
    .writeHead(status, { "content-type": "application/xml", ...headers })
    .end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>${escapeXml(message)}</Message></Error>`);
  return true;
}

function etagOf(content: string | Buffer): string {
  return `etag-${Buffer.byteLength(content)}`;
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
