import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";

import { coerceError, WorkerError } from "../../errors.ts";
import {
  connectNetwork,
  createContainer,
  inspectContainer,
  listContainers,
  readEngine,
  removeContainer,
  startContainer,
} from "../../docker/containers.ts";
import { EngineStatusError, isEngineAway, neverConnected } from "../../docker/engine-errors.ts";
import { ensureImage } from "../../docker/pull-policy.ts";
import { LaunchPostponed, LaunchUncertain } from "../launch-outcomes.ts";
import { planContainer } from "./container-body.ts";
import { ATTEMPT_LABEL, AUTO_REMOVE_LABEL } from "./container-labels.ts";
import { alternativeName, containerName } from "./container-name.ts";
import { sweepContainers } from "./container-sweep.ts";
import { DockerAttempt } from "./docker-attempt.ts";
import { readDockerJob } from "./docker-job.ts";
import { removeFiles } from "./file-removal.ts";
import { EngineWatch } from "./engine-watch.ts";
import { LogFollower } from "./log-follower.ts";
import { OutputFile, readLastLines } from "./output-file.ts";

import type { ContainerInspection } from "../../docker/containers.ts";
import type { DockerEnvironment } from "../../docker/docker-config.ts";
import type { DockerEngine } from "../../docker/engine.ts";
import type { Clock } from "../../lifecycle/clock.ts";
import type { Logger } from "../../log/logger.ts";
import type { Launcher, LaunchSpec, StartedContainer } from "../types.ts";
import type { ContainerPlan } from "./container-body.ts";
import type { DockerJob } from "./docker-job.ts";

export interface DockerLauncherOptions {
  /** Closed together with the launcher. */
  readonly engine: DockerEngine;
  /** Where Docker's config.json and its credential helpers are found. */
  readonly env: DockerEnvironment;
  /** The worker's directory: relative sources of volumes count from it. */
  readonly cwd: string;
  readonly clock: Clock;
  readonly logger?: Logger;
  /** Called when containers can be started again after an outage of the engine. */
  readonly onBack?: () => void;
}

/** An engine that is away for a moment is waited for; after that a run that has not begun may go elsewhere. */
const START_PATIENCE_MS = 10_000;
const LAST_LINES = 5;
const LAST_BYTES = 16 * 1024;

/**
 * Runs each attempt in a container of its own. The container bears the attempt's id as a label, so that one that another
 * worker has made, or whose creation was not confirmed, is found again; the engine keeps it alive, not the worker.
 */
export function createDockerLauncher(options: DockerLauncherOptions): Launcher {
  const { engine, env, cwd, clock, logger, onBack = () => undefined } = options;
  const closing = new AbortController();
  const watch = new EngineWatch({ engine, clock, logger, onBack, closing: closing.signal });

  interface Found {
    readonly id: string;
    readonly attempt: string;
    readonly tty: boolean;
    readonly autoRemove: boolean;
  }

  function watchOver(
    { id, attempt, tty, autoRemove }: Found,
    file: OutputFile,
    { onLine, cancelsItself }: Pick<LaunchSpec, "onLine" | "cancelsItself">,
  ): DockerAttempt {
    return new DockerAttempt({
      engine,
      watch,
      id,
      handle: { kind: "docker", container: id, attempt, cancelsItself: cancelsItself === undefined ? 0 : 1 },
      follower: new LogFollower({ engine, id, tty, file, onLine, clock, logger }),
      cancelsItself,
      autoRemove,
      discard: () => discard(attempt, { force: true }),
      clock,
      logger,
      closing: closing.signal,
    });
  }

  /** Creates the attempt's container, or finds it made: the answer of an earlier request may have been lost. */
  async function create(
    plan: ContainerPlan,
    wanted: string,
    attempt: string,
    signal?: AbortSignal,
  ): Promise<StartedContainer> {
    const first = containerName(wanted);
    const names = first === null ? [undefined] : [first, alternativeName(first, attempt)];
    for (const name of names) {
      try {
        const { platform, body } = plan;
        const { id, warnings } = await createContainer(engine, { name, body, platform }, signal);
        for (const warning of warnings)
          logger?.warn({ container: name }, `The Docker engine warns: ${warning}`);
        return { id, name: name ?? id.slice(0, 12) };
      } catch (error) {
        if (!(error instanceof EngineStatusError) || !error.isConflict || name === undefined) throw error;
        const holder = await inspectContainer(engine, name, signal);
        if (holder?.Config.Labels?.[ATTEMPT_LABEL] === attempt) return { id: holder.Id, name };
        logger?.info({ container: name }, `The container name '${name}' is taken; another one is used`);
        if (name === names.at(-1)) throw error;
      }
    }
    throw new Error("there is no name left"); // the last one throws above
  }

  /** Starts a container. Rejects only when it has not begun, unless with LaunchUncertain. */
  async function start(
    id: string,
    attempt: string,
    networks: readonly string[],
    signal?: AbortSignal,
  ): Promise<void> {
    let mayHaveBegun = false;
    async function attemptStart(): Promise<void> {
      try {
        await startContainer(engine, id);
      } catch (error) {
        mayHaveBegun ||= !neverConnected(error);
        throw error;
      }
    }
    try {
      for (const network of networks) await connectNetwork(engine, network, id, signal);
      signal?.throwIfAborted();
      await watch.patiently(attemptStart, { signal, patienceMs: START_PATIENCE_MS });
    } catch (thrown) {
      if (!mayHaveBegun) throw thrown;
      // Before that is known nobody else may start the run, so the engine is waited for however long it is away.
      const found = await watch
        .patiently(() => inspectContainer(engine, id), { signal, container: id })
        .catch((error: unknown) => {
          throw new LaunchUncertain(() => discard(attempt, { force: true }), error);
        });
      if (found !== null && hasBegun(found)) return; // an answer that got lost: it runs, or has run
      if (found === null || signal?.aborted === true || !isEngineAway(thrown)) throw thrown;
      await start(id, attempt, [], signal);
    }
  }

  /** Removes the container of an attempt that shall not begin, or, with `force`, go on: as soon as the engine is there. */
  function discard(attempt: string, { force = false } = {}): void {
    watch
      .patiently(
        async () => {
          for (const { Id: id, State: state } of await listContainers(engine, [
            `${ATTEMPT_LABEL}=${attempt}`,
          ]))
            if (force || state === "created") await removeContainer(engine, id, { force });
        },
        { signal: closing.signal },
      )
      .catch((err: unknown) => {
        if (!closing.signal.aborted)
          logger?.warn({ attempt, err }, "A container that is not needed could not be removed");
      });
  }

  return {
    get obstacle() {
      return watch.obstacle;
    },
    isReady: () => watch.isReady(),

    async launch(spec) {
      const { container, outputFile, signal } = spec;
      if (container === undefined) throw new Error("a launcher of containers needs a container's settings");
      const attempt = spec.attempt ?? randomUUID();
      const job = readDockerJob(container.configuration, cwd);
      const plan = planContainer({ ...spec, attempt }, container, job);
      for (const warning of plan.warnings) logger?.warn({ flowRunId: spec.flowRunId }, warning);
      let mayBeMade = false;
      try {
        const need = { ...job, platform: plan.platform };
        const { onProgress, onStatus, aside } = container;
        await watch.patiently(() => ensureImage(engine, need, { env, onProgress, aside, signal, clock }), {
          signal,
          patienceMs: START_PATIENCE_MS,
        });
        mayBeMade = true;
        const made = await watch
          .patiently(() => create(plan, container.name, attempt, signal), {
            signal,
            patienceMs: START_PATIENCE_MS,
          })
          .catch((error: unknown) => {
            onStatus?.("creation-failed", null);
            throw error;
          });
        const { id } = made;
        onStatus?.("created", made);
        const file = OutputFile.create(outputFile);
        try {
          await start(id, attempt, plan.furtherNetworks, signal);
        } catch (error) {
          file.close();
          throw error;
        }
        onStatus?.("running", made);
        const started = watchOver({ id, attempt, tty: plan.tty, autoRemove: job.auto_remove }, file, spec);
        void started.exited.then(({ kind }) => {
          if (kind !== "detached") onStatus?.("exited", made);
        });
        return started;
      } catch (thrown) {
        if (thrown instanceof LaunchUncertain) throw thrown;
        if (mayBeMade) discard(attempt);
        signal?.throwIfAborted();
        const error = coerceError(thrown);
        if (await watch.isAtFault(error)) throw new LaunchPostponed(error);
        throw launchError(job, error);
      }
    },

    async adopt(handle, { outputFile, onLine, cancelsItself, signal }) {
      const { kind, container, attempt } = handle;
      if (kind !== "docker" || typeof container !== "string" || typeof attempt !== "string") return null;
      const found = await watch.patiently(() => inspectContainer(engine, container, signal), { signal });
      if (found === null || !hasBegun(found)) return null;
      const { Id: id, Config: config } = found;
      const autoRemove = config.Labels?.[AUTO_REMOVE_LABEL] === "true";
      return watchOver({ id, attempt, tty: config.Tty, autoRemove }, OutputFile.resume(outputFile), {
        ...(onLine === undefined ? {} : { onLine }),
        ...(handle["cancelsItself"] === 1 && cancelsItself !== undefined ? { cancelsItself } : {}),
      });
    },

    async trace({ attempt, signal }) {
      return await watch.patiently(
        async () => {
          const [found] = await listContainers(engine, [`${ATTEMPT_LABEL}=${attempt}`]);
          if (found === undefined) return null;
          // Made, but not started: removed, it cannot be any more, even if a request to start it is still on its way.
          if (found.State === "created") await removeContainer(engine, found.Id);
          const left = await inspectContainer(engine, found.Id);
          if (left === null) return null;
          return { kind: "docker", container: left.Id, attempt, cancelsItself: 1 };
        },
        { signal },
      );
    },

    lastLines: ({ outputFile }) => readLastLines(outputFile, LAST_LINES, LAST_BYTES),
    // An engine beside a virtual machine's wall, or the worker's container's, has its own directory elsewhere.
    async sharesFiles(signal) {
      if (engine.address.socketPath === undefined) return false;
      const { DockerRootDir: root } = await watch
        .patiently(() => readEngine(engine, "info"), { signal, patienceMs: START_PATIENCE_MS })
        .catch(async (thrown: unknown) => {
          signal?.throwIfAborted();
          const error = coerceError(thrown);
          throw (await watch.isAtFault(error)) ? new LaunchPostponed(error) : error;
        });
      return typeof root === "string" && existsSync(root);
    },
    // Steps on this machine are the worker's own; see the process launcher.
    endSteps: () => undefined,
    endOf: () => ({ kind: "gone" }),

    sweep: (options) => sweepContainers(engine, options),
    removeFiles: (rubbish, signal) => removeFiles(engine, rubbish, signal),

    async close() {
      closing.abort();
      await engine.close();
    },
  };
}

function hasBegun({ State: state }: ContainerInspection): boolean {
  return state.Status !== "created";
}

/** Says what stands in the way of a container, and what to do about it. */
function launchError({ image }: DockerJob, error: Error): Error {
  if (!(error instanceof EngineStatusError)) return error;
  const { message } = error;
  const hint = /no such image/i.test(message)
    ? `Build or pull ${image} on the engine's machine, or let the job variable image_pull_policy allow the pull.`
    : /executable file not found|no such file or directory/i.test(message)
      ? "The command does not exist in the image. Correct the job variable `command`, or use an image that has it."
      : /permission denied/i.test(message)
        ? "The command in the image cannot be executed: see its mode and the image's user."
        : undefined;
  return new WorkerError("LAUNCH_FAILED", message, { cause: error, ...(hint === undefined ? {} : { hint }) });
}
