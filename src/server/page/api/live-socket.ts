import { credentials, needsLogin } from "./credentials.ts";

import type { JsonObject } from "./types.ts";

export interface LiveSocketOptions<T> {
  /** `/events/out` or `/logs/out`. */
  readonly path: string;
  /** Asked for at each connection. */
  readonly filter: () => JsonObject;
  /** The name of a message's content: `event` or `log`. */
  readonly field: string;
  /** What came, a few at a time, so that a storm draws the page once and not a thousand times. */
  readonly onItems: (items: readonly T[]) => void;
  /** Called whenever the subscription stands: what happened before it must be asked for. */
  readonly onOpen: () => void;
  readonly onLost: () => void;
}

const FIRST_RETRY_MS = 300;
const LONGEST_RETRY_MS = 5000;
const BATCH_MS = 100;

/**
 * A subscription over a WebSocket with Prefect's handshake: subprotocol `prefect`, then the auth message, then the filter
 * (protocol §2.5, §7.1). It comes back by itself until it is closed. Returns what closes it.
 */
export function openLiveSocket<T>(options: LiveSocketOptions<T>): () => void {
  let socket: WebSocket | undefined;
  let retryMs = FIRST_RETRY_MS;
  let retryTimer: number | undefined;
  let batchTimer: number | undefined;
  let batch: T[] = [];
  let isClosed = false;

  function connect(): void {
    retryTimer = undefined;
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const current = new WebSocket(`${scheme}//${location.host}/api${options.path}`, ["prefect"]);
    socket = current;
    current.addEventListener("open", () => {
      // Browsers complain of a socket that is closed before it is open.
      if (socket !== current) current.close();
      else current.send(JSON.stringify({ type: "auth", token: credentials.value ?? null }));
    });
    current.addEventListener("message", ({ data }) => {
      if (socket !== current) return;
      const message = JSON.parse(String(data)) as { readonly type: string } & Record<string, T>;
      if (message.type === "auth_success") {
        retryMs = FIRST_RETRY_MS;
        current.send(JSON.stringify({ type: "filter", filter: options.filter() }));
        options.onOpen();
        return;
      }
      const item = message[options.field];
      if (item === undefined) return;
      batch.push(item);
      batchTimer ??= window.setTimeout(flush, BATCH_MS);
    });
    current.addEventListener("close", ({ reason }) => {
      if (socket !== current) return;
      socket = undefined;
      if (reason === "Auth failed") needsLogin.set(true);
      options.onLost();
      if (isClosed) return;
      retryTimer = window.setTimeout(connect, retryMs * (0.8 + 0.4 * Math.random()));
      retryMs = Math.min(LONGEST_RETRY_MS, retryMs * 2);
    });
  }

  function flush(): void {
    batchTimer = undefined;
    const items = batch;
    batch = [];
    options.onItems(items);
  }

  // A network or a tab that comes back need not wait for the next try.
  function hurry(): void {
    if (retryTimer === undefined || document.hidden) return;
    window.clearTimeout(retryTimer);
    connect();
  }

  const unwatch = credentials.watch(() => {
    retryMs = FIRST_RETRY_MS;
    hurry();
  });
  window.addEventListener("online", hurry);
  document.addEventListener("visibilitychange", hurry);
  connect();
  return () => {
    isClosed = true;
    unwatch();
    window.removeEventListener("online", hurry);
    document.removeEventListener("visibilitychange", hurry);
    window.clearTimeout(retryTimer);
    window.clearTimeout(batchTimer);
    const last = socket;
    socket = undefined;
    if (last?.readyState !== WebSocket.CONNECTING) last?.close();
  };
}
