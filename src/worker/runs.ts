import { coerceError } from "../errors.ts";
import { Capacity } from "./capacity.ts";
import { RunControl } from "./control.ts";
import { executeFlowRun } from "./run.ts";
import { runSnapshot } from "./snapshot.ts";
import { Timings } from "./timings.ts";

import type { FlowRun } from "../api/types.ts";
import type { Slot } from "./capacity.ts";
import type { StopReason } from "./control.ts";
import type { RunRoom } from "./room.ts";
import type { RunEnd, RunProgress } from "./run.ts";
import type { RunInHand, RunSnapshot } from "./snapshot.ts";

export interface RunsOptions {
  readonly room: RunRoom;
  /** `--limit`. */
  readonly limit: number | null;
  /** How many may be on their way to a running engine at once. */
  readonly startLimit: number;
  /** Called whenever a slot became free. */
  readonly onChange: () => void;
  /** The server did not want it to start now. */
  readonly onRefused: (flowRunId: string) => void;
  /** It waits for a worker again, or still. */
  readonly onReturned: (flowRunId: string) => void;
}

/** What is done sooner does not make more runs start than may do so at once. */
const ASIDE_AFTER_MS = 5000;

/** The runs that this worker has in hand, each in a slot that it can't leave without freeing it. */
export class Runs {
  readonly #options: RunsOptions;
  readonly #inHand = new Map<string, { readonly run: RunInHand; readonly done: Promise<void> }>();
  readonly #capacity: Capacity;
  readonly #starting: Capacity;
  #waiting: (() => void)[] = [];

  constructor(options: RunsOptions) {
    this.#options = options;
    this.#capacity = new Capacity(options.limit);
    this.#starting = new Capacity(options.startLimit);
  }

  get size(): number {
    return this.#inHand.size;
  }

  get ids(): string[] {
    return [...this.#inHand.keys()];
  }

  get slots(): Capacity {
    return this.#capacity;
  }

  get startSlots(): Capacity {
    return this.#starting;
  }

  snapshots(): RunSnapshot[] {
    return [...this.#inHand.values()].map(({ run }) => runSnapshot(run));
  }

  has(flowRunId: string): boolean {
    return this.#inHand.has(flowRunId);
  }

  /** Starts the run's life in the background; false when no slot is free. */
  submit(flowRun: FlowRun): boolean {
    const slot = this.#capacity.tryAcquire();
    if (slot === null) return false;
    const firstStartSlot = this.#starting.tryAcquire();
    if (firstStartSlot === null) {
      slot.release();
      return false;
    }
    const { room } = this.#options;
    let held = firstStartSlot;
    const startSlot: Slot = { release: () => held.release() };
    const control = new RunControl();
    const timings = new Timings(room.clock, (phase, from, spentMs) =>
      room.observer.runEntered(run, phase, from, spentMs),
    );
    const run: RunInHand = { flowRun, control, timings, takenAt: room.clock.now() };
    room.observer.runTaken(run);
    const life = executeFlowRun(flowRun, control, timings, room, {
      onStarted: () => this.#release(startSlot),
      aside: async (work, signal) => {
        const patience = new AbortController();
        let isAside = false;
        room.clock.sleep(ASIDE_AFTER_MS, patience.signal).then(
          () => {
            isAside = true;
            this.#release(startSlot);
          },
          () => undefined, // it is done
        );
        try {
          return await work();
        } finally {
          patience.abort();
          if (isAside) held = await this.#starting.acquire(signal);
        }
      },
      onStuck: () => {
        timings.stuck();
        this.#release(startSlot, slot);
      },
    });
    this.#hold(run, life, [startSlot, slot]);
    return true;
  }

  /** Takes a run of an earlier worker in hand; it counts against the limit, but is never refused. */
  adopt(
    flowRun: Pick<FlowRun, "id" | "name">,
    control: RunControl,
    live: (progress: Pick<RunProgress, "onStuck">) => Promise<RunEnd>,
  ): void {
    const slot = this.#capacity.tryAcquire();
    const slots = slot === null ? [] : [slot];
    const { room } = this.#options;
    const run: RunInHand = { flowRun, control, timings: null, takenAt: room.clock.now() };
    room.observer.runTaken(run);
    const life = live({ onStuck: () => this.#release(...slots) });
    this.#hold(run, life, slots);
  }

  /** False when there is nothing to do: the run is not in hand, or it is being stopped for this reason already. */
  stop(flowRunId: string, reason: StopReason, graceMs: number): boolean {
    const control = this.#inHand.get(flowRunId)?.run.control;
    if (control === undefined || control.reason === reason) return false;
    control.stop(reason, { graceMs });
    return true;
  }

  stopAll(reason: StopReason, graceMs: number): void {
    for (const { run } of this.#inHand.values()) run.control.stop(reason, { graceMs });
  }

  /** Resolves when the next run gives a slot back. */
  nextRelease(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Resolves when no run is in hand any more. */
  async idle(): Promise<void> {
    while (this.#inHand.size > 0) await Promise.all([...this.#inHand.values()].map(({ done }) => done));
  }

  #hold(run: RunInHand, life: Promise<RunEnd>, slots: readonly Slot[]): void {
    const { flowRun, timings } = run;
    const done = this.#watch(flowRun, timings, life).then((end) => {
      this.#inHand.delete(flowRun.id);
      this.#options.room.observer.runEnded(run, end);
      // Before a slot is free: the poll that follows may show it again, and must not claim it in a busy loop.
      if (end?.kind === "refused") this.#options.onRefused(flowRun.id);
      else if (end?.kind !== "ended" && end?.kind !== "left") this.#options.onReturned(flowRun.id);
      this.#release(...slots);
    });
    this.#inHand.set(flowRun.id, { run, done });
  }

  #release(...slots: readonly Slot[]): void {
    for (const slot of slots) slot.release();
    for (const resolve of this.#waiting.splice(0)) resolve();
    this.#options.onChange();
  }

  // Whatever a run's life throws stays here: one bad run never ends the worker.
  async #watch(
    flowRun: Pick<FlowRun, "id" | "name">,
    timings: Timings | null,
    life: Promise<RunEnd>,
  ): Promise<RunEnd | null> {
    const { room } = this.#options;
    const logger = room.logger.child({ flowRunId: flowRun.id });
    try {
      const end = await life;
      if (end.kind === "left") {
        logger.info(`Flow run '${flowRun.name}' is left to the next worker: ${end.reason}`);
        return end;
      }
      if (end.kind !== "ended") {
        logger.info(`Flow run '${flowRun.name}' was not started: ${end.reason}`);
        return end;
      }
      const times = timings === null ? "adopted" : timings.text();
      const data = { state: end.state, ...(timings === null ? {} : { phases: timings.milliseconds() }) };
      if (end.state === "Crashed") {
        logger.error(
          data,
          `Flow run '${flowRun.name}' ended as Crashed (${times}): ${end.message ?? "no reason given"}`,
        );
      } else {
        logger.info(data, `Flow run '${flowRun.name}' ended as ${end.state} (${times})`);
      }
      return end;
    } catch (thrown) {
      logger.error(
        { err: coerceError(thrown) },
        "The end of a flow run could not be reported; the next start of the worker does it",
      );
      return null;
    }
  }
}
