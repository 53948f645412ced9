import { WorkerError, coerceError } from "../errors.ts";
import { startLoop } from "../lifecycle/loop.ts";
import { Pulse } from "../lifecycle/pulse.ts";
import { Scope } from "../lifecycle/scope.ts";
import { Announcements } from "./announcements.ts";
import { findCancelling } from "./cancellation.ts";
import { Poller } from "./poller.ts";
import { recoverRuns } from "./recovery.ts";
import { Runs } from "./runs.ts";

import type { CallOptions } from "../api/http.ts";
import type { GoingOn, Loop } from "../lifecycle/loop.ts";
import type { Launcher } from "../launcher/types.ts";
import type { RunRoom } from "./room.ts";
import type { WorkerSnapshot } from "./snapshot.ts";
import type { WorkerOptions, WorkerState } from "./worker-options.ts";

// Prefect's own variation of its intervals (prefect/utilities/services.py).
const JITTER = 0.3;
const MAX_BACKOFF_MS = 60_000;
// After the drain deadline a handed-back run has this long before it is killed.
const HAND_BACK_GRACE_MS = 10_000;
// Whoever waits at a console wants to hear within seconds that the address is wrong.
const FIRST_CALL = { retries: 0, deadlineMs: 8000 };
// How long final reports may take when the worker was told twice to go.
const LAST_REPORT_MS = 10_000;

/** Serves one work pool until it is stopped. Build it synchronously, then await {@link run}. */
export class Worker {
  readonly #options: WorkerOptions;
  readonly #room: RunRoom;
  readonly #runs: Runs;
  readonly #poller: Poller;
  readonly #announcements = new Announcements();
  readonly #stopping = new AbortController();
  readonly #pulses: Readonly<Record<"poll" | "sync" | "cancellation", Pulse>>;
  #state: WorkerState = "created";
  #drainsUntil: number | null = null;
  #isEventStreamConnected = false;
  #pollLoop: Loop | undefined;
  #launcher: Launcher | undefined;

  constructor(options: WorkerOptions) {
    this.#options = options;
    const { pool, settings } = options;
    const launcher = (): Launcher | undefined => this.#launcher;
    this.#room = {
      ...options.room,
      closing: options.closing.signal,
      workPool: () => {
        return known(pool.workPool);
      },
      workerId: () => pool.workerId,
      get workerName() {
        return pool.workerName;
      },
      get launcher() {
        return known(launcher());
      },
      get workerType() {
        return known(pool.workerType);
      },
    };
    const { clock } = options.room;
    this.#pulses = { poll: new Pulse(clock), sync: new Pulse(clock), cancellation: new Pulse(clock) };
    this.#runs = new Runs({
      room: this.#room,
      limit: settings.limit,
      startLimit: settings.startLimit,
      onChange: () => this.#onRunsChanged(),
      onRefused: (flowRunId) => this.#poller.onRefused(flowRunId),
      onReturned: (flowRunId) => {
        this.#poller.onReturned(flowRunId);
        this.#pollLoop?.nudge();
      },
    });
    this.#poller = new Poller({
      api: this.#room.api,
      clock: this.#room.clock,
      runs: this.#runs,
      observer: this.#room.observer,
      announcements: this.#announcements,
      workPoolName: this.#room.workPoolName,
      workQueues: settings.workQueues,
      prefetchMs: settings.prefetchMs,
      canLaunch: () => this.#room.launcher.isReady(),
    });
  }

  get state(): WorkerState {
    return this.#state;
  }

  get runsInHand(): number {
    return this.#runs.size;
  }

  /** What it does at this moment; costs nothing until it is asked for. */
  snapshot(): WorkerSnapshot {
    const { settings, pool } = this.#options;
    const { slots, startSlots } = this.#runs;
    return {
      state: this.#state,
      name: this.#room.workerName,
      workPool: {
        name: this.#room.workPoolName,
        type: pool.workPool?.type ?? null,
        isPaused: pool.workPool?.is_paused ?? false,
        concurrencyLimit: pool.workPool?.concurrency_limit ?? null,
      },
      workQueues: settings.workQueues,
      slots: { limit: slots.limit, inUse: slots.inUse },
      startSlots: { limit: startSlots.limit, inUse: startSlots.inUse },
      lastPollAt: this.#poller.lastPollAt,
      isEventStreamConnected: this.#isEventStreamConnected,
      launchObstacle: this.#launcher?.obstacle ?? null,
      drainsUntil: this.#drainsUntil,
      lateLoops: Object.entries(this.#pulses)
        .map(([name, { lateMs }]) => ({ name, lateMs }))
        .filter(({ lateMs }) => lateMs > 0),
      runs: this.#runs.snapshots(),
    };
  }

  /** Works until it is stopped, or, with `runOnce`, until the runs of one poll have ended. Rejects for an unusable pool only. */
  async run(): Promise<void> {
    await using scope = new Scope();
    try {
      this.#transition("starting");
      if (!(await this.#readPool())) return;
      this.#launcher = await this.#options.openLauncher(this.#room.workerType, () => this.#pollLoop?.nudge());
      this.#options.onReady();
      this.#transition("running");
      this.#room.events.started();
      const recovered = recoverRuns(this.#room, this.#runs);
      if (recovered > 0)
        this.#room.logger.info({ runs: recovered }, `Settling ${recovered} flow runs of an earlier worker`);
      this.#startBackground(scope);
      if (this.#options.settings.runOnce) await this.#pollOnce();
      else await this.#pollUntilStopped();
      await this.#drain();
    } finally {
      this.#room.events.stopped();
      this.#transition("stopped");
      scope.abort(new DOMException("The worker has ended", "AbortError"));
    }
  }

  /** First press: take nothing new, let the runs end until the drain deadline, then hand them back. Idempotent. */
  stop(): void {
    this.#stopping.abort();
  }

  /** Second press: end all runs now, and report them. */
  kill(): void {
    this.#stopping.abort();
    this.#runs.stopAll("end", 0);
    const giveUp = setTimeout(() => this.#options.closing.abort(), LAST_REPORT_MS);
    giveUp.unref();
  }

  #transition(to: WorkerState): void {
    if (this.#state === to) return;
    this.#room.logger.debug({ from: this.#state, to }, "Worker changes state");
    this.#state = to;
    this.#room.observer.stateChanged(to);
  }

  // An attempt, and the CSRF token that it may have to fetch before.
  get #tickMs(): number {
    return 2 * this.#options.settings.requestTimeoutMs;
  }

  // Waits for the API as long as it takes; only a pool or a key that can't work ends the worker (protocol §1.2).
  async #readPool(): Promise<boolean> {
    const { pool } = this.#options;
    const { logger, clock } = this.#room;
    const signal = this.#stopping.signal;
    let failures = 0;
    const { poll: pulse } = this.#pulses;
    while (!signal.aborted) {
      pulse.promise(this.#tickMs);
      try {
        if ((await pool.refresh(signal, FIRST_CALL)) !== null) return true;
        failures = 0;
      } catch (thrown) {
        const error = coerceError(thrown);
        if (signal.aborted) return false;
        if (error instanceof WorkerError && !error.retryable) throw error;
        failures += 1;
        const retryMs = Math.min(1000 * 2 ** Math.min(failures - 1, 5), 30_000);
        if (failures === 1 || failures % 10 === 0) {
          logger.error(
            { err: error, failures, retrySeconds: retryMs / 1000 },
            "The Prefect API does not answer; the worker keeps trying",
          );
        }
        pulse.promise(retryMs);
        await clock.sleep(retryMs, signal).catch(() => undefined);
        continue;
      }
      pulse.promise(this.#options.settings.pollIntervalMs);
      await clock.sleep(this.#options.settings.pollIntervalMs, signal).catch(() => undefined);
    }
    return false;
  }

  #startBackground(scope: Scope): void {
    const { pool, announcer, settings } = this.#options;
    const { clock, logger, api } = this.#room;
    let isFirstSync = true;
    const sync = startLoop(
      async (signal, goingOn) => {
        const call = callOf(signal, goingOn);
        if (!isFirstSync) await pool.refresh(signal, call);
        isFirstSync = false;
        goingOn(0);
        await pool.heartbeat(call);
      },
      {
        pulse: this.#pulses.sync,
        tickMs: this.#tickMs,
        intervalMs: settings.heartbeatIntervalMs,
        clock,
        signal: scope.signal,
        maxIntervalMs: settings.heartbeatIntervalMs,
        onError: (error, failures) => {
          if (failures === 1)
            logger.warn({ err: error }, "The work pool could not be synchronised; trying again");
        },
      },
    );
    const cancellation = startLoop(
      async (signal, goingOn) => {
        for (const id of await findCancelling(api, this.#runs.ids, callOf(signal, goingOn))) this.#cancel(id);
      },
      {
        pulse: this.#pulses.cancellation,
        tickMs: this.#tickMs,
        intervalMs: settings.cancellationPollMs,
        clock,
        signal: scope.signal,
        maxIntervalMs: settings.cancellationPollMs,
        onError: (error, failures) => {
          if (failures === 1) logger.warn({ err: error }, "Cancellations could not be read; trying again");
        },
      },
    );
    scope.task("sync", () => sync.done);
    scope.task("cancellation", () => cancellation.done);
    if (announcer === null) return;
    scope.task("announcements", (signal) =>
      announcer.subscribe({
        workPoolId: this.#room.workPool().id,
        onConnected: () => {
          this.#onEventStream(true);
          this.#pollLoop?.nudge();
        },
        onDisconnected: () => this.#onEventStream(false),
        onScheduled: (flowRunId) => {
          if (this.#runs.has(flowRunId)) return;
          this.#announcements.add(flowRunId);
          this.#pollLoop?.nudge();
        },
        onCancelling: (flowRunId) => this.#cancel(flowRunId),
        signal,
      }),
    );
  }

  async #pollUntilStopped(): Promise<void> {
    const { settings } = this.#options;
    const { clock, logger } = this.#room;
    let outageSince: number | null = null;
    this.#pollLoop = startLoop(
      async (signal, goingOn) => {
        const againMs = await this.#poller.poll(callOf(signal, goingOn));
        if (outageSince !== null) {
          const seconds = Math.round((clock.monotonic() - outageSince) / 1000);
          logger.info({ seconds }, `The Prefect API answers again after ${seconds} s`);
          outageSince = null;
        }
        return againMs;
      },
      {
        pulse: this.#pulses.poll,
        tickMs: this.#tickMs,
        intervalMs: settings.pollIntervalMs,
        jitter: JITTER,
        maxIntervalMs: Math.max(settings.pollIntervalMs, MAX_BACKOFF_MS),
        clock,
        signal: this.#stopping.signal,
        onError: (error, failures) => {
          this.#room.observer.pollFailed(error);
          outageSince ??= clock.monotonic();
          if (failures === 1 || failures % 10 === 0) {
            logger.error({ err: error, failures }, "Polling for flow runs failed; the worker keeps trying");
          }
        },
      },
    );
    await this.#pollLoop.done;
  }

  async #pollOnce(): Promise<void> {
    const { signal } = this.#stopping;
    this.#pulses.poll.end();
    for (;;) {
      const released = this.#runs.nextRelease(); // before the poll, or one during it would be missed
      await this.#poller.poll({ signal });
      if (!this.#poller.hasLeftovers || signal.aborted) break;
      await Promise.race([released, aborted(signal)]);
    }
    await Promise.race([this.#runs.idle(), aborted(signal)]);
  }

  async #drain(): Promise<void> {
    const { drainTimeoutMs } = this.#options.settings;
    const { logger, clock } = this.#room;
    this.#pulses.poll.end(); // it may have been stopped while it waited for its pool
    this.#drainsUntil = clock.now() + drainTimeoutMs;
    this.#transition("draining");
    if (this.#runs.size === 0) return;
    logger.info(
      { runs: this.#runs.size, drainSeconds: drainTimeoutMs / 1000 },
      `Stopping: no new flow runs; waiting up to ${drainTimeoutMs / 1000} s for ${this.#runs.size} in progress (signal again to end them now)`,
    );
    const waiting = new AbortController();
    const idle = this.#runs.idle().finally(() => waiting.abort());
    await clock.sleep(drainTimeoutMs, waiting.signal).catch(() => undefined);
    if (this.#runs.size > 0) {
      logger.warn(
        { runs: this.#runs.size },
        this.#room.workerType === "docker"
          ? "The drain time is over; the remaining containers go on, and the next worker takes them over"
          : "The drain time is over; handing the remaining flow runs back",
      );
      this.#runs.stopAll("hand-back", HAND_BACK_GRACE_MS);
      const giveUp = setTimeout(() => this.#options.closing.abort(), HAND_BACK_GRACE_MS + LAST_REPORT_MS);
      giveUp.unref();
    }
    await idle;
  }

  #onEventStream(isConnected: boolean): void {
    this.#isEventStreamConnected = isConnected;
    this.#room.observer.eventStreamChanged(isConnected);
  }

  #cancel(flowRunId: string): void {
    if (this.#runs.stop(flowRunId, "cancel", this.#room.killGraceMs)) {
      this.#room.observer.cancelling(flowRunId);
      this.#room.logger.info({ flowRunId }, `Cancelling flow run '${flowRunId}'`);
    }
  }

  // A slot that became free, here or in the pool's limit, may let the next run start at once.
  #onRunsChanged(): void {
    if (this.#poller.hasLeftovers || this.#hasPoolLimit()) this.#pollLoop?.nudge();
  }

  #hasPoolLimit(): boolean {
    const limit = this.#options.pool.workPool?.concurrency_limit;
    return limit !== null && limit !== undefined;
  }
}

/** An API call of a loop's tick: while it waits for its next attempt, the tick does not hang. */
function callOf(signal: AbortSignal, goingOn: GoingOn): CallOptions & { readonly signal: AbortSignal } {
  return { signal, onRetry: ({ delayMs }) => goingOn(delayMs) };
}

/** What is there as soon as the pool has been read, before any run is taken in hand. */
function known<T>(value: T | null | undefined): T {
  if (value === null || value === undefined)
    throw new WorkerError("POOL_UNUSABLE", "The work pool has not been read yet");
  return value;
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}
