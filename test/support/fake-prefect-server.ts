import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";

import { textOf } from "../../src/api/fields.ts";
import { TERMINAL_STATES } from "../../src/api/types.ts";
import { parseJson } from "../../src/json/parse.ts";
import { stringifyJson } from "../../src/json/stringify.ts";
import { EventSockets } from "./fake-prefect/event-sockets.ts";
import { applyFault, Faults } from "./fake-prefect/faults.ts";
import { answerFrom } from "./fake-prefect/routes.ts";
import { Store } from "./fake-prefect/store.ts";

import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { PrefectEvent, StateType } from "../../src/api/types.ts";
import type { Json } from "../../src/json/value.ts";
import type { ActiveFault, Fault } from "./fake-prefect/faults.ts";
import type { FakeState } from "./fake-prefect/rules.ts";
import type { FakeFlowRun } from "./fake-prefect/store.ts";

export interface FakePrefectServerOptions {
  /** What `/admin/version` says; null makes it answer 404, as servers before 3.0 do in part. Default `3.8.8`. */
  readonly version?: string | null;
  /** `user:password` that requests must carry as Basic. */
  readonly authString?: string;
  /** Key that requests must carry as Bearer. */
  readonly apiKey?: string;
  /** Demands CSRF tokens. */
  readonly csrf?: boolean;
  /** PEM texts: serves https and wss. */
  readonly tls?: { readonly key: string; readonly cert: string };
}

export interface RecordedRequest {
  readonly method: string;
  /** Below `/api`, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Json;
  /** `Date.now()` of its arrival. */
  readonly at: number;
}

/** A partial description of a request, or a function. */
export type RequestMatch =
  | { readonly method?: string; readonly path?: string | RegExp }
  | ((request: RecordedRequest) => boolean);

/** Starts an in-memory Prefect API on a free port of 127.0.0.1: `await using server = await startFakePrefectServer()`. */
export async function startFakePrefectServer(
  options: FakePrefectServerOptions = {},
): Promise<FakePrefectServer> {
  const server = new FakePrefectServer(options);
  await server.listen();
  return server;
}

/**
 * As much of a Prefect server as a worker meets, over real HTTP and WebSockets: pools, queues, runs with the rules of
 * protocol §2.3, blocks, variables, logs, events. `store` holds the data; `fault` makes requests go wrong.
 */
export class FakePrefectServer {
  readonly store: Store;
  readonly eventSockets: EventSockets;
  readonly requests: RecordedRequest[] = [];
  /** Events that clients posted. */
  readonly postedEvents: PrefectEvent[] = [];
  /** The CSRF token that is valid now; change it to make the old one invalid. */
  csrfToken: string = randomUUID();
  readonly #options: FakePrefectServerOptions;
  readonly #faults = new Faults();
  readonly #server: Server;
  readonly #connections = new Set<Socket>();
  readonly #checks = new Set<() => void>();
  #port = 0;

  constructor(options: FakePrefectServerOptions) {
    this.#options = options;
    this.store = new Store((run, state) => this.#onState(run, state));
    this.eventSockets = new EventSockets(options.authString ?? options.apiKey ?? null, () => this.#check());
    this.#server = options.tls === undefined ? createServer() : createTlsServer(options.tls);
    this.#server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      void this.#serve(request, response);
    });
    this.#server.on("upgrade", (request, socket, head) => this.eventSockets.upgrade(request, socket, head));
    this.#server.on("connection", (socket) => {
      this.#connections.add(socket);
      socket.once("close", () => {
        this.#connections.delete(socket);
        this.#check();
      });
    });
  }

  get apiUrl(): string {
    return `${this.#options.tls === undefined ? "http" : "https"}://127.0.0.1:${this.#port}/api`;
  }

  get port(): number {
    return this.#port;
  }

  /** TCP connections that are open, those of WebSockets too. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Listens (again) on the port that it had; the data is still there. */
  async listen(): Promise<void> {
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** An outage: nothing listens and every connection breaks, until `listen()`. */
  async goDown(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#connections) socket.destroy();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.goDown();
  }

  addWorkPool(...args: Parameters<Store["addWorkPool"]>): ReturnType<Store["addWorkPool"]> {
    return this.store.addWorkPool(...args);
  }

  addWorkQueue(...args: Parameters<Store["addWorkQueue"]>): ReturnType<Store["addWorkQueue"]> {
    return this.store.addWorkQueue(...args);
  }

  addDeployment(...args: Parameters<Store["addDeployment"]>): ReturnType<Store["addDeployment"]> {
    return this.store.addDeployment(...args);
  }

  addFlowRun(...args: Parameters<Store["addFlowRun"]>): ReturnType<Store["addFlowRun"]> {
    return this.store.addFlowRun(...args);
  }

  addBlock(...args: Parameters<Store["addBlock"]>): ReturnType<Store["addBlock"]> {
    return this.store.addBlock(...args);
  }

  /** What the user's "cancel" does; writes CANCELLED at once for a run that nobody has claimed. */
  cancel(flowRunId: string): void {
    this.store.propose(this.#run(flowRunId), { type: "CANCELLING" }, false);
  }

  /** Writes a state whatever the rules say, as the flow run's engine or the UI would. */
  setState(flowRunId: string, type: StateType, fields: { name?: string; message?: string } = {}): void {
    this.store.propose(this.#run(flowRunId), { type, ...fields }, true);
  }

  stateOf(flowRunId: string): FakeState {
    const { state } = this.#run(flowRunId);
    if (state === null) throw new Error(`Run ${flowRunId} has no state`);
    return state;
  }

  /** Types of all states that the run has had, such as `["SCHEDULED", "PENDING", "RUNNING"]`. */
  historyOf(flowRunId: string): readonly StateType[] {
    return this.#run(flowRunId).history.map((state) => state.type);
  }

  /** Messages of the log lines that were sent for a run, in the order of their arrival. */
  logsOf(flowRunId: string): readonly string[] {
    return this.store.logs
      .filter((entry) => entry["flow_run_id"] === flowRunId)
      .map((entry) => textOf(entry, "message") ?? "");
  }

  /** Resolves with the state once the run is (or was) in it. */
  waitForState(flowRunId: string, type: StateType, timeoutMs = 10_000): Promise<FakeState> {
    return this.waitFor(
      `run ${flowRunId} in ${type}`,
      () => this.#run(flowRunId).history.find((state) => state.type === type),
      timeoutMs,
      () => `its states: ${this.historyOf(flowRunId).join(", ")}`,
    );
  }

  /** Resolves with the state once the run has ended. */
  waitForEnd(flowRunId: string, timeoutMs = 10_000): Promise<FakeState> {
    return this.waitFor(
      `the end of run ${flowRunId}`,
      () => (TERMINAL_STATES.has(this.stateOf(flowRunId).type) ? this.stateOf(flowRunId) : undefined),
      timeoutMs,
      () => `its states: ${this.historyOf(flowRunId).join(", ")}`,
    );
  }

  requestsMatching(match: RequestMatch): readonly RecordedRequest[] {
    return this.requests.filter((request) => isMatch(match, request));
  }

  /** Resolves with the `count`-th request that matches, also when it has come already. */
  waitForRequest(match: RequestMatch, count = 1, timeoutMs = 10_000): Promise<RecordedRequest> {
    return this.waitFor(
      `request number ${count} of ${typeof match === "function" ? "that kind" : `${match.method ?? "any"} ${match.path ?? ""}`}`,
      () => this.requestsMatching(match)[count - 1],
      timeoutMs,
      () =>
        `the last ones: ${this.requests
          .slice(-10)
          .map(({ method, path }) => `${method} ${path}`)
          .join(", ")}`,
    );
  }

  /** Asks `probe` now and after every change on the server until it answers something; fails after the deadline. */
  waitFor<T>(
    what: string,
    probe: () => T | undefined,
    timeoutMs = 10_000,
    detail: () => string = () => "",
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        clearTimeout(timer);
        this.#checks.delete(check);
      };
      const check = (): void => {
        const found = probe();
        if (found === undefined) return;
        finish();
        resolve(found);
      };
      const timer = setTimeout(() => {
        finish();
        reject(new Error(`Not within ${timeoutMs / 1000} s: ${what}; ${detail()}`));
      }, timeoutMs);
      this.#checks.add(check);
      check();
    });
  }

  /** Makes matching requests go wrong: `server.fault({ method: "POST", path: /set_state/, times: 2, kind: "reset" })`. */
  fault(fault: Fault): ActiveFault {
    return this.#faults.add(fault);
  }

  /** Sends an event to the subscribers whose filter matches. */
  emit(event: Pick<PrefectEvent, "event" | "resource"> & Partial<PrefectEvent>): PrefectEvent {
    const complete = {
      id: randomUUID(),
      occurred: new Date().toISOString(),
      related: [],
      payload: {},
      follows: null,
      ...event,
    };
    this.eventSockets.emit(complete);
    return complete;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return; // the client went away
    }
    const url = new URL(request.url ?? "/", "http://fake");
    const path = url.pathname.replace(/^\/api/, "");
    const method = request.method ?? "GET";
    const text = Buffer.concat(chunks).toString();
    const recorded: RecordedRequest = {
      method,
      path,
      query: url.searchParams,
      headers: request.headers,
      body: text === "" ? null : parseJson(text),
      at: Date.now(),
    };
    this.requests.push(recorded);
    const taken = this.#faults.take(method, path);
    if (taken?.fault.kind === "hold") {
      this.#check(); // for those who wait for its hits
      await taken.over;
    }
    const fault = taken?.fault.kind === "hold" ? undefined : taken?.fault;
    if (fault !== undefined && fault.when !== "after") {
      applyFault(fault, request, response);
    } else {
      const answer = this.#refusal(recorded) ?? this.#answer(recorded);
      if (fault !== undefined) {
        applyFault(fault, request, response);
      } else {
        response.writeHead(answer.status, { "content-type": "application/json" });
        response.end(answer.body === undefined ? "" : stringifyJson(answer.body as Json));
      }
    }
    this.#check();
  }

  #refusal({ method, path, headers }: RecordedRequest): { status: number; body: unknown } | undefined {
    const { authString, apiKey, csrf } = this.#options;
    const expected =
      authString === undefined
        ? apiKey === undefined
          ? undefined
          : `Bearer ${apiKey}`
        : `Basic ${Buffer.from(authString).toString("base64")}`;
    if (expected !== undefined && headers.authorization !== expected && path !== "/health") {
      return { status: 401, body: { exception_message: "Unauthorized" } };
    }
    if (csrf === true && method !== "GET" && headers["prefect-csrf-token"] !== this.csrfToken) {
      return { status: 403, body: { detail: "Invalid CSRF token or client identifier." } };
    }
    return undefined;
  }

  #answer(request: RecordedRequest): { readonly status: number; readonly body?: unknown } {
    const { version = "3.8.8", csrf } = this.#options;
    const name = `${request.method} ${request.path}`;
    if (name === "GET /admin/version" && version !== null) return { status: 200, body: version };
    if (name === "GET /csrf-token") {
      if (csrf !== true) return { status: 422, body: { detail: "CSRF protection is disabled." } };
      const expiration = new Date(Date.now() + 3_600_000).toISOString();
      return {
        status: 200,
        body: { token: this.csrfToken, client: request.query.get("client"), expiration },
      };
    }
    if (name === "POST /events") {
      const events = request.body as unknown as readonly PrefectEvent[];
      this.postedEvents.push(...events);
      for (const event of events) this.eventSockets.emit(event);
      return { status: 204 };
    }
    return answerFrom(this.store, request) ?? { status: 404, body: { detail: "Not Found" } };
  }

  #onState(run: FakeFlowRun, state: FakeState): void {
    const pool = run.work_pool_name === null ? undefined : this.store.workPools.get(run.work_pool_name);
    this.emit({
      event: `prefect.flow-run.${state.name}`,
      resource: {
        "prefect.resource.id": `prefect.flow-run.${run.id}`,
        "prefect.resource.name": run.name,
        "prefect.state-type": state.type,
        "prefect.state-name": state.name,
      },
      related: [
        related("flow", run.flow_id),
        ...(run.deployment_id === null ? [] : [related("deployment", run.deployment_id)]),
        ...(pool === undefined ? [] : [related("work-pool", pool.id)]),
      ],
    });
    this.#check();
  }

  #check(): void {
    for (const check of this.#checks) check();
  }

  #run(id: string): FakeFlowRun {
    const run = this.store.flowRuns.get(id);
    if (run === undefined) throw new Error(`The fake server has no flow run ${id}`);
    return run;
  }
}

function related(role: string, id: string): PrefectEvent["related"][number] {
  return { "prefect.resource.id": `prefect.${role}.${id}`, "prefect.resource.role": role };
}

function isMatch(match: RequestMatch, request: RecordedRequest): boolean {
  if (typeof match === "function") return match(request);
  const { method = request.method, path = request.path } = match;
  return (
    method === request.method && (typeof path === "string" ? path === request.path : path.test(request.path))
  );
}
