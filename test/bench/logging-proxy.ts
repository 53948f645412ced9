import { createServer, request } from "node:http";
import { connect } from "node:net";
import type { AddressInfo, Socket } from "node:net";

/** A pass-through in front of the API that notes when a request of a kind comes by. */
export interface LoggingProxy extends AsyncDisposable {
  /** API root by way of the proxy. */
  readonly url: string;
  /** `performance.now()` of the next request whose path ends so. */
  nextRequest(pathEnd: string): Promise<number>;
}

export async function startLoggingProxy(apiUrl: string): Promise<LoggingProxy> {
  const target = new URL(apiUrl);
  const waiting = new Set<{ readonly pathEnd: string; readonly resolve: (at: number) => void }>();
  const sockets = new Set<Socket>();
  const server = createServer((incoming, answer) => {
    const now = performance.now();
    for (const waiter of waiting) {
      if (incoming.url?.endsWith(waiter.pathEnd) !== true) continue;
      waiting.delete(waiter);
      waiter.resolve(now);
    }
    const outgoing = request(
      {
        host: target.hostname,
        port: target.port,
        method: incoming.method,
        path: incoming.url,
        headers: incoming.headers,
      },
      (response) => {
        answer.writeHead(response.statusCode ?? 502, response.headers);
        response.pipe(answer);
      },
    );
    outgoing.on("error", () => answer.destroy());
    incoming.pipe(outgoing);
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("upgrade", (incoming, socket, head) => {
    const onward = connect(Number(target.port), target.hostname, () => {
      const headers = incoming.rawHeaders.flatMap((part, at, all) =>
        at % 2 === 0 ? [`${part}: ${all[at + 1] ?? ""}`] : [],
      );
      onward.write(`GET ${incoming.url} HTTP/1.1\r\n${headers.join("\r\n")}\r\n\r\n`);
      onward.write(head);
      onward.pipe(socket);
      socket.pipe(onward);
    });
    for (const [one, other] of [
      [onward, socket],
      [socket, onward],
    ] as const) {
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}${target.pathname}`,
    nextRequest: (pathEnd) => new Promise((resolve) => waiting.add({ pathEnd, resolve })),
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
