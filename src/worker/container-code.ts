import { chmod, lchown, lstat, mkdir, readdir, realpath } from "node:fs/promises";
import { join } from "node:path";

import { WorkerError } from "../errors.ts";
import { readDockerJob } from "../launcher/docker/docker-job.ts";
import { explainExit } from "../launcher/exit-explanations.ts";
import { LaunchUncertain } from "../launcher/launch-outcomes.ts";
import { STEPS_VARIABLE } from "../launcher/markers.ts";
import { fetchDeploymentCode } from "../steps/deployment-code.ts";
import { StepError } from "../steps/errors.ts";
import { bridgeCommand, ImageBridge, prepareBridge } from "../steps/image-bridge.ts";
import { imageObstacle } from "../steps/image-plan.ts";
import { ImageSteps } from "../steps/image-steps.ts";
import { STEPS_DIRECTORY, tellingWhy } from "./container-intent.ts";
import { environmentWith } from "./environment.ts";
import { pullsByItself, runsEngine } from "./job.ts";
import { startAttempt } from "./launch.ts";
import { stepLog } from "./pull.ts";
import { noteImage } from "./workspace.ts";

import type { Deployment } from "../api/types.ts";
import type { BridgeListener, FileOwner } from "../steps/image-bridge.ts";
import type { Attempt } from "./attempt.ts";
import type { Job } from "./job.ts";
import type { PreparedRun } from "./prepare.ts";
import type { RunRoom } from "./room.ts";
import type { Timings } from "./timings.ts";

/** Where the container sees what the worker gives it. */
const THERE = { workspace: "/lighterman/workspace", steps: "/lighterman/steps" } as const;

/** Decides, by the job variable `pull`, who fetches the code of a container's run; says so in the run's log. Throws TEMPLATE_INVALID. */
export async function isPulledByWorker(run: PreparedRun, room: RunRoom): Promise<boolean> {
  const { job, log } = run;
  if (job.engine === "none" || run.deployment === null || job.pull === "container") return false;
  const obstacle = await obstacleTo(run, run.deployment, room);
  if (obstacle === null) {
    log.info(`The worker pulls the flow's code (pull: ${job.pull})`);
    return true;
  }
  if (job.pull === "auto") {
    log.info(`The container pulls the flow's code by itself (pull: auto): ${obstacle}`);
    return false;
  }
  throw new WorkerError("TEMPLATE_INVALID", `The worker cannot pull the flow's code: ${obstacle}`, {
    hint: "Set the job variable `pull` to container, or to auto, which finds out by itself.",
  });
}

async function obstacleTo(run: PreparedRun, deployment: Deployment, room: RunRoom): Promise<string | null> {
  if (!(await room.launcher.sharesFiles(run.control.signal)))
    return "the container engine does not share the files of the worker's machine";
  if (run.job.pull === "auto" && !runsEngine(run.job)) return "the job has a command of its own";
  return imageObstacle(deployment);
}

/**
 * Pulls the code with the worker's own steps into a directory that the run's container sees, lets the steps that need the image run
 * in it, and starts the engine there (or the job's own command). Until then a stop ends the container, and the run has not begun.
 */
export async function launchWithCode(run: PreparedRun, room: RunRoom, timings: Timings): Promise<Attempt> {
  const { deployment, control } = run;
  const entrypoint = deployment?.entrypoint ?? null;
  if (deployment === null || entrypoint === null) {
    throw new StepError("The deployment has no entrypoint, so there is no flow to run", {
      hint: "Deploy it again with an entrypoint such as flow.py:my_flow.",
    });
  }
  const place = await openPlace(run, room);
  const container = new CodeContainer(run, room, place);
  const log = stepLog(run, room);
  const image = new ImageSteps({
    workspace: place.workspace,
    open: () => container.open(),
    share: (owner) => share(place.workspace, owner),
    log,
  });
  try {
    const stage = {
      cwd: place.workspace,
      image,
      env: workerEnvironment(run, room),
      lookups: run.lookups,
      python: () => Promise.reject(new StepError("Steps of a container do not run in the worker's Python")),
      environmentsDir: room.environmentsDir,
      log,
      signal: control.signal,
      registerSecret: (secret: string) => run.secrets.add(secret),
    };
    const code = await fetchDeploymentCode(stage, deployment, {
      onStepBegin: (pullStep) => timings.learn({ pullStep }),
      onStep: (event) => room.events.pullStep(run, event),
    });
    timings.enter("launch");
    await image.become(code, entrypoint, commandWithCode(run.job), runsEngine(run.job));
    const attempt = await container.start();
    const infrastructure = tellingWhy(attempt.infrastructure, run.workspace.directory);
    control.attach(infrastructure);
    return { ...attempt, infrastructure };
  } catch (error) {
    await container.end();
    throw error;
  } finally {
    image.close();
    place.listener.close();
  }
}

interface Place {
  readonly workspace: string;
  readonly steps: string;
  readonly listener: BridgeListener;
}

/** Both below the run's directory, which others cannot enter, and which goes away with the run. */
async function openPlace({ workspace, job }: PreparedRun, room: RunRoom): Promise<Place> {
  const root = await realpath(workspace.directory);
  const [code, steps] = [join(root, "workspace"), join(root, STEPS_DIRECTORY)];
  await noteImage(root, readDockerJob(job.configuration, room.cwd).image);
  await mkdir(code);
  await chmod(code, 0o777); // the container's user is not known yet
  return { workspace: code, steps, listener: await prepareBridge(steps) };
}

/** For what runs here: the job's variables count, but programs and configuration are found as the worker's own. */
function workerEnvironment({ env, record }: PreparedRun, room: RunRoom): Record<string, string> {
  const own = Object.entries(room.env).filter(([name]) => name === "PATH" || name === "HOME");
  return {
    ...environmentWith(room.env, env),
    ...Object.fromEntries(own.filter((entry): entry is [string, string] => entry[1] !== undefined)),
    [STEPS_VARIABLE]: record.entry.attempt,
  };
}

/** What the container becomes; null is the engine in the image's Python. What stands before Prefect's own runner stays there. */
function commandWithCode(job: Job): readonly [string, ...string[]] | null {
  const { command } = job;
  if (command === null) return null;
  if (!pullsByItself(job)) return command;
  const [program, ...rest] = command.slice(0, Math.max(0, command.indexOf("flow-run") - 1));
  return program === undefined ? null : [program, ...rest, "python", "-m", "prefect.engine"];
}

/** The run's container while its code is being fetched: started by the first step that needs it. */
class CodeContainer {
  readonly #run: PreparedRun;
  readonly #room: RunRoom;
  readonly #place: Place;
  #attempt: Promise<Attempt> | undefined;
  #bridge: Promise<ImageBridge> | undefined;

  constructor(run: PreparedRun, room: RunRoom, place: Place) {
    this.#run = run;
    this.#room = room;
    this.#place = place;
  }

  start(): Promise<Attempt> {
    this.#attempt ??= this.#start();
    return this.#attempt;
  }

  open(): Promise<ImageBridge> {
    this.#bridge ??= this.#connect();
    return this.#bridge;
  }

  /** Ends the container, if there is one: the run does not begin. */
  async end(): Promise<void> {
    const attempt = await this.#attempt?.catch((error: unknown) => {
      if (error instanceof LaunchUncertain && this.#run.control.reason === "cancel") error.discard();
      return undefined;
    });
    await attempt?.infrastructure.stop({ intent: "cancel", graceMs: 0 });
  }

  async #start(): Promise<Attempt> {
    const { job, announced } = this.#run;
    await announced;
    return await startAttempt(this.#run, runsEngine(job) ? "engine" : "custom", this.#room, {
      command: bridgeCommand(THERE),
      cwd: "/",
      env: this.#run.env,
      attachLater: true,
      container: {
        mounts: [
          { source: this.#place.workspace, target: THERE.workspace },
          { source: this.#place.steps, target: THERE.steps, readOnly: true },
        ],
      },
    });
  }

  async #connect(): Promise<ImageBridge> {
    const attempt = await this.start();
    return await ImageBridge.connect({
      listener: this.#place.listener,
      workspace: { here: this.#place.workspace, there: THERE.workspace },
      signal: this.#run.control.signal,
      ended: attempt.exited.then((result) => {
        const { code, explanation } = explainExit(result);
        const tail = attempt.outputTail();
        const lastWords = tail.length === 0 ? "" : ` Last output:\n${tail.join("\n")}`;
        return `status ${code ?? "unknown"}. ${explanation}${lastWords}`;
      }),
    });
  }
}

/** Lets the container's user read and write what the worker has put there. Root gives it away; others open it to everybody. */
async function share(directory: string, owner: FileOwner): Promise<void> {
  const own = process.getuid?.();
  if (own === owner.uid) return;
  const isRoot = own === 0;
  async function hand(path: string): Promise<void> {
    const found = await lstat(path);
    if (isRoot) await lchown(path, owner.uid, owner.gid);
    else if (!found.isSymbolicLink() && found.uid === own)
      await chmod(path, found.mode | ((found.mode & 0o100) === 0 ? 0o066 : 0o077));
    if (!found.isDirectory()) return;
    for (const name of await readdir(path)) await hand(join(path, name));
  }
  await hand(directory);
}
