import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { IncomingMessage, Server, ServerResponse } from "node:http";

/** A container of the fake engine. */
export interface FakeContainer {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  status: "created" | "running" | "exited";
  exitCode: number;
  /** What `GET /logs` sends, as it is; the connection stays open while the container runs. */
  output: Buffer;
}

/** What happens to a request instead of its answer. */
export type EngineFault =
  /** It is carried out, and the connection breaks before the answer. */
  | { readonly kind: "lose" }
  | { readonly kind: "status"; readonly status: number; readonly message?: string }
  /** The connection breaks at once. */
  | { readonly kind: "cut" }
  /** Nothing, until the engine goes down. */
  | { readonly kind: "hang" };

type Answer = readonly [status: number, body?: unknown];

/**
 * An engine that does what a test tells it to: loses answers, is in trouble, goes away and comes back. It knows every image.
 * What a real one does is tried in integration/docker-*.
 */
export class FakeEngine implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), "fake-engine-"));
  readonly socket = join(this.directory, "sock");
  readonly host = `unix://${this.socket}`;
  readonly containers = new Map<string, FakeContainer>();
  /** All that came: `POST /containers/create`. */
  readonly requests: string[] = [];
  /** Asked for each request, by its method and path without version; undefined: none. */
  fault: (request: string) => EngineFault | undefined = () => undefined;
  /** Images that are not there until a pull has ended, by name. */
  readonly pulls = new Map<string, Promise<void>>();
  /** What a started container does. */
  onStart: (container: FakeContainer) => void = () => undefined;
  /** Followed output does not come to its end, although the container has. */
  isFollowEndless = false;
  #server: Server | undefined;
  #waiting: (() => void)[] = [];

  static async start(): Promise<FakeEngine> {
    const engine = new FakeEngine();
    await engine.listen();
    return engine;
  }

  async listen(): Promise<void> {
    const server = createServer((request, response) => void this.#serve(request, response));
    this.#server = server;
    await once(server.listen(this.socket), "listening");
  }

  /** Breaks all connections; the containers stay as they are. */
  async goDown(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  }

  named(name: string): FakeContainer | undefined {
    return [...this.containers.values()].find((container) => container.name === name);
  }

  /** A container that others have made; it has ended with 0 unless it is said otherwise. */
  add({ name, ...fields }: Pick<FakeContainer, "name"> & Partial<FakeContainer>): FakeContainer {
    const id = `id-of-${name}`;
    const rest = { labels: {}, status: "exited", exitCode: 0, output: Buffer.alloc(0) } as const;
    const container = { id, name, ...rest, ...fields };
    this.containers.set(id, container);
    return container;
  }

  end(container: FakeContainer, exitCode = 0): void {
    Object.assign(container, { status: "exited", exitCode });
    for (const wake of this.#waiting.splice(0)) wake();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.goDown();
    rmSync(this.directory, { recursive: true, force: true });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url ?? "", "http://engine");
    const path = url.pathname.replace(/^\/v[\d.]+/, "");
    const method = request.method ?? "";
    this.requests.push(`${method} ${path}`);
    const fault = this.fault(`${method} ${path}`);
    if (fault?.kind === "hang") return;
    if (fault?.kind === "cut") {
      response.destroy();
      return;
    }
    const send = ([status, body]: Answer): void => {
      response.writeHead(status, { "api-version": "1.41" });
      response.end(body === undefined ? "" : Buffer.isBuffer(body) ? body : JSON.stringify(body));
    };
    if (fault?.kind === "status") {
      send([fault.status, { message: fault.message ?? "something is broken" }]);
      return;
    }
    const answer = await this.#answer(
      method,
      path,
      url.searchParams,
      Buffer.concat(chunks).toString(),
      response,
    );
    if (fault?.kind === "lose") response.destroy();
    else if (!response.headersSent) send(answer);
  }

  async #answer(
    method: string,
    path: string,
    query: URLSearchParams,
    body: string,
    response: ServerResponse,
  ): Promise<Answer> {
    if (path === "/_ping") return [200, "OK"];
    if (path === "/version") return [200, { Version: "0-fake" }];
    if (path === "/info") return [200, { DockerRootDir: this.directory }];
    if (path === "/images/create") {
      const name = `${query.get("fromImage")}:${query.get("tag")}`;
      await this.pulls.get(name);
      this.pulls.delete(name);
      return [200, { status: "done" }];
    }
    const image = /^\/images\/(.+)\/json$/.exec(path)?.[1];
    if (image !== undefined)
      return this.pulls.has(image)
        ? [404, { message: `No such image: ${image}` }]
        : [200, { Id: "sha256:1" }];
    if (path === "/containers/create") return this.#create(query.get("name") ?? "", body);
    if (path === "/containers/json") {
      const { label = [] } = JSON.parse(query.get("filters") ?? "{}") as { label?: string[] };
      const found = [...this.containers.values()].filter(({ labels }) =>
        label.every((wanted) => {
          const [name = "", value] = wanted.split("=");
          return value === undefined ? name in labels : labels[name] === value;
        }),
      );
      return [200, found.map(({ id, status, labels }) => ({ Id: id, State: status, Labels: labels }))];
    }
    const [, , key = "", action = ""] = path.split("/");
    const container = this.containers.get(key) ?? this.named(key);
    if (container === undefined) return [404, { message: `No such container: ${key}` }];
    return await this.#act(container, `${method} ${action}`, query, response);
  }

  async #act(
    container: FakeContainer,
    action: string,
    query: URLSearchParams,
    response: ServerResponse,
  ): Promise<Answer> {
    const { id, name, labels } = container;
    switch (action) {
      case "DELETE ":
        this.containers.delete(id);
        this.end(container, 137);
        return [204];
      case "POST start":
        container.status = "running";
        this.onStart(container);
        return [204];
      case "POST stop":
      case "POST kill":
        this.end(container, 137);
        return [204];
      case "POST wait":
        await this.#ended(container);
        return [200, { StatusCode: container.exitCode }];
      case "GET logs":
        if (query.get("follow") === "1") {
          response.writeHead(200, { "api-version": "1.41" });
          response.flushHeaders();
          await this.#ended(container);
          if (!this.isFollowEndless) response.end(container.output);
          return [200];
        }
        return [200, container.output];
      case "GET json": {
        const state = { Status: container.status, ExitCode: container.exitCode, OOMKilled: false };
        return [200, { Id: id, Name: `/${name}`, State: state, Config: { Labels: labels } }];
      }
      default:
        return [204];
    }
  }

  #create(name: string, body: string): Answer {
    if (this.named(name) !== undefined)
      return [409, { message: `Conflict. The container name "/${name}" is already in use` }];
    const { Labels: labels } = JSON.parse(body) as { Labels: Record<string, string> };
    return [201, { Id: this.add({ name, labels, status: "created" }).id }];
  }

  async #ended(container: FakeContainer): Promise<void> {
    while (container.status === "running") await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}

/** A text on stdout as an engine sends it for a container without a TTY. */
export function frameOf(text: string): Buffer {
  const header = Buffer.from([1, 0, 0, 0, 0, 0, 0, text.length]);
  return Buffer.concat([header, Buffer.from(text)]);
}
