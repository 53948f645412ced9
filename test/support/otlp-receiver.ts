import { once } from "node:events";
import { createServer } from "node:http";
import { gunzipSync } from "node:zlib";
import { until } from "./deadline.ts";
import { decodeMessage, textField } from "./protobuf.ts";
import type { IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import type { Message } from "./protobuf.ts";

export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for a root. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly startNanos: bigint;
  readonly endNanos: bigint;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly resource: Readonly<Record<string, unknown>>;
  /** 2: error. */
  readonly statusCode: number;
  readonly statusMessage: string;
}

/** A collector for traces over HTTP, JSON or protobuf: `await using receiver = await startOtlpReceiver()`. */
export async function startOtlpReceiver(status = 200): Promise<OtlpReceiver> {
  const receiver = new OtlpReceiver(status);
  await receiver.listen();
  return receiver;
}

export class OtlpReceiver implements AsyncDisposable {
  readonly spans: ReceivedSpan[] = [];
  readonly requests: { readonly path: string; readonly headers: IncomingHttpHeaders }[] = [];
  readonly #server;

  constructor(status: number) {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const raw = Buffer.concat(chunks);
        const body = request.headers["content-encoding"] === "gzip" ? gunzipSync(raw) : raw;
        const isJson = request.headers["content-type"]?.startsWith("application/json") === true;
        this.spans.push(...(isJson ? jsonSpans(body.toString()) : protobufSpans(body)));
        this.requests.push({ path: request.url ?? "", headers: request.headers });
        response.writeHead(status, { "content-type": request.headers["content-type"] ?? "" });
        response.end(isJson ? "{}" : "");
      });
    });
  }

  async listen(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resolves with all spans of the trace once its root is there: the root ends last. */
  trace(isRoot: (span: ReceivedSpan) => boolean): Promise<readonly ReceivedSpan[]> {
    return until(
      "the trace",
      () => {
        const root = this.spans.find(isRoot);
        return root !== undefined && this.spans.filter(({ traceId }) => traceId === root.traceId);
      },
      {
        timeoutMs: 20_000,
        everyMs: 20,
        detail: () => this.spans.map(({ name }) => name).join(", "),
      },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

interface JsonKeyValue {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

interface JsonBody {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly JsonKeyValue[] };
    readonly scopeSpans: readonly { readonly spans: readonly JsonSpan[] }[];
  }[];
}

interface JsonSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly JsonKeyValue[];
  readonly status?: { readonly code?: number; readonly message?: string };
}

function jsonSpans(text: string): ReceivedSpan[] {
  const attributesOf = (pairs: readonly JsonKeyValue[]) =>
    Object.fromEntries(pairs.map(({ key, value }) => [key, Object.values(value)[0]]));
  return (JSON.parse(text) as JsonBody).resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId ?? "",
        name: span.name,
        startNanos: BigInt(span.startTimeUnixNano),
        endNanos: BigInt(span.endTimeUnixNano),
        attributes: attributesOf(span.attributes),
        resource: attributesOf(resource.attributes),
        statusCode: span.status?.code ?? 0,
        statusMessage: span.status?.message ?? "",
      })),
    ),
  );
}

// The numbers are those of opentelemetry/proto/trace/v1/trace.proto and common/v1/common.proto.
function protobufSpans(body: Uint8Array): ReceivedSpan[] {
  return decodeMessage(body)
    .messages(1)
    .flatMap((resourceSpans) =>
      resourceSpans.messages(2).flatMap((scopeSpans) =>
        scopeSpans.messages(2).map((span) => {
          const [status] = span.messages(15);
          return {
            traceId: span.bytes(1).toString("hex"),
            spanId: span.bytes(2).toString("hex"),
            parentSpanId: span.bytes(4).toString("hex"),
            name: textField(span, 5),
            startNanos: span.number(7),
            endNanos: span.number(8),
            attributes: protobufAttributes(span.messages(9)),
            resource: protobufAttributes(resourceSpans.messages(1)[0]?.messages(1) ?? []),
            statusCode: Number(status?.number(3) ?? 0n),
            statusMessage: status === undefined ? "" : textField(status, 2),
          };
        }),
      ),
    );
}

function protobufAttributes(pairs: readonly Message[]): Record<string, unknown> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const [value] = pair.messages(2);
      const isText = value?.has(1) === true;
      const isBoolean = value?.has(2) === true;
      const content = isText ? textField(value, 1) : isBoolean ? value.number(2) !== 0n : value?.number(3);
      return [textField(pair, 1), content];
    }),
  );
}
