import { coerceError } from "../../errors.ts";
import {
  inspectContainer,
  isRunning,
  killContainer,
  removeContainer,
  stopContainer,
  waitForContainer,
} from "../../docker/containers.ts";

import type { ContainerInspection } from "../../docker/containers.ts";
import type { DockerEngine } from "../../docker/engine.ts";
import type { Clock } from "../../lifecycle/clock.ts";
import type { Logger } from "../../log/logger.ts";
import type { Infrastructure, LaunchResult, LaunchSpec, StopOptions, StopResult } from "../types.ts";
import type { EngineWatch } from "./engine-watch.ts";
import type { LogFollower } from "./log-follower.ts";

export interface DockerAttemptParts {
  readonly engine: DockerEngine;
  readonly watch: EngineWatch;
  readonly id: string;
  readonly handle: Infrastructure["handle"];
  readonly follower: LogFollower;
  readonly cancelsItself: LaunchSpec["cancelsItself"];
  /** Remove the container once its end is known. */
  readonly autoRemove: boolean;
  /** Ends the container, and removes it, as soon as the engine does so. */
  readonly discard: () => void;
  readonly clock: Clock;
  readonly logger: Logger | undefined;
  /** Aborted when the launcher closes: the container goes on without us. */
  readonly closing: AbortSignal;
}

/** A container that has said nothing for so long counts as started. */
const START_PATIENCE_MS = 5000;
/** The output of a container that has ended is there; reading it takes no longer than this. */
const OUTPUT_PATIENCE_MS = 30_000;
const LOOK_AGAIN_MS = 500;
/** The engine itself kills after the grace; should it not, we do. */
const KILL_DELAY_MS = 2000;
const KILL_LEEWAY_MS = 250;
/** How long an engine that should have killed a cancelled container may take; one that is restarted comes back within this. */
const GIVE_UP_MS = 15_000;
/** The same for a worker that has to go. */
const LEAVE_MS = 5000;
/** Prefect's runner has a grace of its own for the flow (protocol §7.2), notices a cancellation within 10 s, and runs hooks. */
const RUNNER_GRACE_MS = 30_000;
const RUNNER_DELAY_MS = 15_000;

/**
 * One container, started by us or adopted. Its end is what the engine says of it; an engine that is away is waited for.
 * The container is removed only after its output and its exit code were read.
 */
export class DockerAttempt implements Infrastructure {
  readonly identifier: string;
  readonly handle: Infrastructure["handle"];
  readonly ready: Promise<void>;
  readonly exited: Promise<LaunchResult>;
  readonly #parts: DockerAttemptParts;
  readonly #ending = new AbortController();
  readonly #detaching = new AbortController();
  /** Monotonic time of the SIGKILL. */
  #killAt = Infinity;
  #hasten = new AbortController();
  /** From the SIGKILL on: whether it is heeded or not, the attempt is done with after this. */
  #giveUpMs = GIVE_UP_MS;
  #hasGivenUp = false;
  #stopping: Promise<StopResult> | undefined;

  constructor(parts: DockerAttemptParts) {
    this.#parts = parts;
    this.identifier = `${parts.engine.address.baseUrl}:${parts.id}`;
    this.handle = parts.handle;
    this.exited = this.#conclude();
    this.ready = this.#becomeReady();
  }

  stop(options: StopOptions): Promise<StopResult> {
    if (options.intent === "reschedule") {
      // It needs nothing of us; the next worker finds it by its handle.
      this.#detaching.abort();
      return this.exited.then((result) => ({ result, acknowledged: false }));
    }
    if (options.intent !== "cancel") this.#giveUpMs = LEAVE_MS;
    if (this.#stopping === undefined) this.#stopping = this.#stop(options);
    else {
      this.#killBefore(options.graceMs);
      this.#hasten.abort();
    }
    return this.#stopping;
  }

  #killBefore(graceMs: number): void {
    this.#killAt = Math.min(this.#killAt, this.#parts.clock.monotonic() + graceMs);
  }

  async #becomeReady(): Promise<void> {
    const { clock, follower } = this.#parts;
    const patience = new AbortController();
    await Promise.race([
      follower.hasOutput,
      this.exited,
      clock.sleep(START_PATIENCE_MS, patience.signal).catch(() => undefined), // it has said something
    ]);
    patience.abort();
  }

  async #conclude(): Promise<LaunchResult> {
    const { follower, clock, closing, logger, id, discard } = this.#parts;
    const signal = AbortSignal.any([this.#detaching.signal, closing]);
    try {
      const result = await this.#untilEnded(signal);
      const patience = new AbortController();
      const isLate = await Promise.race([
        follower.finish().then(() => false),
        clock.sleep(OUTPUT_PATIENCE_MS, patience.signal).then(
          () => true,
          () => false,
        ),
      ]);
      patience.abort();
      if (isLate) logger?.warn({ container: id }, "The last output of a container could not be read in time");
      await this.#removeIfWanted();
      return result;
    } catch (thrown) {
      if (this.#hasGivenUp) {
        logger?.warn(
          { container: id },
          "The container of a cancelled flow run could not be ended; it is removed as soon as the engine does it",
        );
        discard();
        return { kind: "gone" };
      }
      if (signal.aborted) return { kind: "detached" };
      logger?.error({ container: id, err: coerceError(thrown) }, "A container's end could not be read");
      return { kind: "gone" };
    } finally {
      this.#ending.abort();
      await follower.close();
    }
  }

  async #untilEnded(signal: AbortSignal): Promise<LaunchResult> {
    const { engine, watch, clock, id } = this.#parts;
    for (;;) {
      const code = await watch.patiently(() => waitForContainer(engine, id, signal), {
        signal,
        container: id,
      });
      if (code === null) return { kind: "gone", removed: true };
      const found = await watch.patiently(() => inspectContainer(engine, id, signal), {
        signal,
        container: id,
      });
      if (found === null || found.State.Status === "removing") {
        if (this.#stopping !== undefined) return { kind: "exited", code };
        // Podman says 0 of a container that was removed while it ran.
        return code === 0 ? { kind: "gone", removed: true } : { kind: "exited", code, removed: true };
      }
      // An engine that starts again may tell of an end before it has looked.
      if (!isRunning(found)) return this.#resultOf(found.State);
      await clock.sleep(LOOK_AGAIN_MS, signal);
    }
  }

  #resultOf({ ExitCode: code, OOMKilled: oomKilled }: ContainerInspection["State"]): LaunchResult {
    const wasForced =
      code === 137 && !oomKilled && this.#parts.clock.monotonic() >= this.#killAt - KILL_LEEWAY_MS;
    return {
      kind: "exited",
      code,
      ...(code === 0 ? {} : { oomKilled }),
      ...(wasForced ? { forced: true } : {}),
    };
  }

  async #removeIfWanted(): Promise<void> {
    const { autoRemove, engine, watch, id, logger } = this.#parts;
    if (!autoRemove) return;
    await watch
      .patiently(() => removeContainer(engine, id), { patienceMs: OUTPUT_PATIENCE_MS })
      .catch((err: unknown) => {
        logger?.warn({ container: id, err }, "A container could not be removed; housekeeping tries again");
      });
  }

  async #stop({ intent, graceMs }: StopOptions): Promise<StopResult> {
    const { engine, watch, clock, id, logger } = this.#parts;
    const { signal } = this.#ending;
    try {
      if (intent === "cancel")
        await this.#awaitOwnCancellation(Math.max(graceMs, RUNNER_GRACE_MS) + RUNNER_DELAY_MS);
      this.#killBefore(graceMs);
      void this.#killInTime(intent);
      // The engine's own stop, as it goes on when we die; a later, shorter grace only brings the kill forward.
      const graceSeconds = (this.#killAt - clock.monotonic()) / 1000;
      await watch.patiently(() => stopContainer(engine, id, graceSeconds, signal), { signal, container: id });
    } catch (thrown) {
      if (!signal.aborted)
        logger?.warn({ container: id, err: coerceError(thrown) }, "A container could not be stopped");
    }
    return { result: await this.exited, acknowledged: false };
  }

  /** Rejects when the container has ended; resolves when there is no use in waiting any longer. */
  async #awaitOwnCancellation(patienceMs: number): Promise<void> {
    const { cancelsItself, clock } = this.#parts;
    if (cancelsItself === undefined || !(await cancelsItself())) return;
    const { signal } = this.#ending;
    await clock.sleep(patienceMs, AbortSignal.any([signal, this.#hasten.signal])).catch(() => undefined); // hastened, or ended
    signal.throwIfAborted();
  }

  /** Kills what the engine has not ended in time, and waits no longer for an engine that does not do it. */
  async #killInTime(intent: StopOptions["intent"]): Promise<void> {
    const { engine, watch, id } = this.#parts;
    const { signal } = this.#ending;
    const first = this.#killAt;
    try {
      await this.#until(() => this.#killAt + (this.#killAt === first ? KILL_DELAY_MS : 0));
      void watch.patiently(() => killContainer(engine, id, { signal }), { signal }).catch(() => undefined); // it has ended
      await this.#until(() => this.#killAt + KILL_DELAY_MS + this.#giveUpMs);
      this.#hasGivenUp = intent === "cancel";
      this.#detaching.abort();
    } catch {
      // It has ended.
    }
  }

  /** Resolves at a time that a further stop may bring forward; rejects when the container has ended. */
  async #until(time: () => number): Promise<void> {
    const { clock } = this.#parts;
    const { signal } = this.#ending;
    for (;;) {
      this.#hasten = new AbortController();
      const leftMs = time() - clock.monotonic();
      if (leftMs <= 0) return;
      await clock.sleep(leftMs, AbortSignal.any([signal, this.#hasten.signal])).catch(() => undefined); // hastened, or ended
      signal.throwIfAborted();
    }
  }
}
