import { startLoop } from "../lifecycle/loop.ts";

import type { Clock } from "../lifecycle/clock.ts";
import type { WorkerObserver } from "../worker/observer.ts";
import type { WorkerSnapshot } from "../worker/snapshot.ts";
import type { NotifySocket } from "./notify-socket.ts";

export interface ServiceManagerOptions {
  readonly socket: Pick<NotifySocket, "send">;
  readonly snapshot: () => WorkerSnapshot;
  /** One line for `systemctl status`. */
  readonly summary: () => string;
  /** What keeps the worker from being alive; empty when all is well. */
  readonly complaints: () => readonly string[];
  /** Longest time between two signs of life; null: the manager does not watch. */
  readonly watchdogMs: number | null;
  /** Told once when signs of life are withheld. */
  readonly onStuck: (complaints: readonly string[]) => void;
  readonly clock: Clock;
}

export interface ServiceManager {
  readonly observer: WorkerObserver;
  /** Resolves when nothing will be sent any more. */
  stop(): Promise<void>;
}

const TICK_MS = 5000;
// Runs come and go by the hundred; who reads the status looks at it now and then.
const STATUS_PAUSE_MS = 1000;
// The manager waits for READY before it starts what depends on the unit, and gives up after TimeoutStartSec. A worker that
// waits for its server does what it should, and must not be started over and over because of the server.
const READY_WITHOUT_SERVER_MS = 10_000;
// Several ticks may get lost before the manager's patience ends.
const EXTENSION_MS = 30_000;
// Beyond the drain: handing back, killing, and the last reports.
const LAST_WORK_MS = 60_000;

/**
 * Tells systemd what the worker does (sd_notify(3)): READY=1 once its pool is read, STATUS with runs and slots, STOPPING=1,
 * EXTEND_TIMEOUT_USEC for as long as the drain may take, and WATCHDOG=1. The last is no timer's doing: it is sent only while
 * every loop of the worker is heard of when it has promised to be, so a worker that hangs is started anew, and one whose
 * server is away is not.
 */
export function startServiceManager(options: ServiceManagerOptions): ServiceManager {
  const { socket, snapshot, summary, complaints, watchdogMs, onStuck, clock } = options;
  const ending = new AbortController();
  const startedAt = clock.monotonic();
  let isReady = false;
  let isStopping = false;
  let isStuck = false;
  let lastStatus = "";
  let lastStatusAt = -Infinity;

  function readiness({ state }: WorkerSnapshot): string[] {
    if (isReady || state === "created") return [];
    if (state === "starting" && clock.monotonic() - startedAt < READY_WITHOUT_SERVER_MS) return [];
    isReady = true;
    return ["READY=1"];
  }

  function stopping({ state, drainsUntil }: WorkerSnapshot): string[] {
    if (state !== "draining" && state !== "stopped") return [];
    const messages = isStopping ? [] : ["STOPPING=1"];
    isStopping = true;
    const isInTime = clock.now() < (drainsUntil ?? clock.now()) + LAST_WORK_MS;
    return isInTime ? [...messages, `EXTEND_TIMEOUT_USEC=${EXTENSION_MS * 1000}`] : messages;
  }

  function signOfLife(): string[] {
    const found = complaints();
    if (found.length > 0 && !isStuck) onStuck(found);
    isStuck = found.length > 0;
    return isStuck || watchdogMs === null ? [] : ["WATCHDOG=1"];
  }

  function statusLine(isUrgent: boolean): string[] {
    const status = summary().replaceAll("\n", " ");
    const isDue = isUrgent || clock.monotonic() - lastStatusAt >= STATUS_PAUSE_MS;
    if (status === lastStatus || !isDue) return [];
    lastStatus = status;
    lastStatusAt = clock.monotonic();
    return [`STATUS=${status}`];
  }

  const loop = startLoop(
    async () => {
      const now = snapshot();
      const news = [...readiness(now), ...stopping(now)];
      const messages = [...news, ...signOfLife(), ...statusLine(news.includes("STOPPING=1"))];
      if (messages.length > 0) socket.send(messages);
      // What was too soon to be said.
      return lastStatus === summary().replaceAll("\n", " ") ? undefined : STATUS_PAUSE_MS;
    },
    {
      intervalMs: Math.min(TICK_MS, (watchdogMs ?? Infinity) / 2),
      clock,
      signal: ending.signal,
    },
  );
  const nudge = (): void => loop.nudge();
  return {
    observer: { stateChanged: nudge, runTaken: nudge, runEnded: nudge },
    async stop() {
      ending.abort();
      await loop.done;
    },
  };
}

/** `WATCHDOG_USEC`, if it is meant for this process; null where nobody watches (sd_watchdog_enabled(3)). */
export function watchdogMsOf(env: Readonly<Record<string, string | undefined>>, pid: number): number | null {
  const { WATCHDOG_USEC: microseconds = "", WATCHDOG_PID: watched } = env;
  if (!/^[1-9]\d*$/.test(microseconds)) return null;
  return watched === undefined || watched === "" || watched === String(pid)
    ? Number(microseconds) / 1000
    : null;
}

const OWN_VARIABLES = new Set(["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]);

/** What flow runs may have of the worker's environment: nobody but the worker speaks for the unit. */
export function withoutServiceManager<T>(env: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !OWN_VARIABLES.has(name)));
}
