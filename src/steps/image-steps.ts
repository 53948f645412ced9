import { isAbsolute, relative } from "node:path";

import { codeEnvironment } from "./environment.ts";
import { StepError } from "./errors.ts";
import { setWorkingDirectory } from "./set-working-directory.ts";
import { StepInputs } from "./step-inputs.ts";

import type { Json, JsonObject } from "../json/value.ts";
import type { BridgeReply } from "./bridge.ts";
import type { FileOwner, ImageBridge } from "./image-bridge.ts";
import type { PulledCode } from "./pull-stage.ts";
import type { StepContext, StepLog, StepOutcome } from "./types.ts";

export interface ImageStepsOptions {
  /** Absolute; the container sees it under the same path. */
  readonly workspace: string;
  /** Starts the container, or gives the one that was started, once its files can be read there. */
  readonly open: () => Promise<ImageBridge>;
  /** Lets the container's user read and write what the worker has put into the workspace. */
  readonly share: (owner: FileOwner) => Promise<void>;
  readonly log: StepLog;
}

// What puts files into the workspace is done by the worker; the flow's own interpreter and tools are in the image.
const WORKERS_OWN =
  /^(?:prefect\.(?:deployments|projects)\.steps\.(?:pull\.)?a?git_clone(?:_project)?|prefect_aws\.(?:deployments|projects)\.steps\.pull_(?:project_)?from_s3)$/;
const WORKERS_PYTHON = "lighterman.steps.python_environment";

function dottedName(name: string): string {
  return name.includes(".py:") ? name : name.replace(":", ".");
}

/** True for a step that the worker runs itself: it fetches code into its own directory. */
export function fetchesCode(name: string): boolean {
  return WORKERS_OWN.test(dottedName(name));
}

/** True for the step that makes an environment on the worker's machine. */
export function isWorkersPython(name: string): boolean {
  return dottedName(name) === WORKERS_PYTHON;
}

/** The pull steps of one run that happen in its container, and how the container becomes the run's engine. */
export class ImageSteps {
  readonly #options: ImageStepsOptions;
  #bridge: ImageBridge | undefined;
  #env: Record<string, string> | undefined;
  #isFirst = true;
  #mustShare = true;

  constructor(options: ImageStepsOptions) {
    this.#options = options;
  }

  /** True for a path that lies in the image, not in the workspace. */
  isImagePath(path: string): boolean {
    const name = relative(this.#options.workspace, path);
    return isAbsolute(path) && (name === ".." || name.startsWith("../") || isAbsolute(name));
  }

  /** Runs a step in the container; undefined for one that the worker runs itself. */
  async run(
    name: string,
    inputs: JsonObject,
    requires: readonly string[],
    context: StepContext,
  ): Promise<StepOutcome | undefined> {
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    if (fetchesCode(name)) {
      if (this.isImagePath(context.cwd)) {
        throw new StepError(`It would put its files into ${context.cwd}, which is in the image`, {
          hint: "The worker fetches code into its own directory only: move the set_working_directory step behind it, or set the job variable `pull` to container.",
        });
      }
      await this.#require(requires, context);
      this.#mustShare = true;
      return undefined;
    }
    if (isWorkersPython(name)) {
      throw new StepError("It makes an environment on the worker's machine, which a container cannot use", {
        hint: "Install what the flow needs in the image, or with pip_install_requirements.",
      });
    }
    if (setWorkingDirectory.names.includes(dottedName(name))) {
      const directory = new StepInputs("set_working_directory", inputs, ["directory"]).text("directory");
      return isAbsolute(directory) && !this.isImagePath(directory)
        ? undefined
        : await this.#changeDirectory(directory, isFirst ? undefined : context.cwd);
    }
    return await this.#step(name, inputs, requires, context);
  }

  /** Lets a storage block put its files into `directory`. */
  async pullStorage(
    storage: { readonly documentId: string; readonly fromPath: string | null },
    context: Pick<StepContext, "cwd">,
  ): Promise<void> {
    await this.#call("storage", context, {
      document_id: storage.documentId,
      from_path: storage.fromPath,
      local_path: context.cwd,
    });
  }

  /** The container's own working directory, where relative paths of an image's code count from. */
  async workingDirectory(): Promise<string> {
    return (await this.#open()).hello.cwd;
  }

  /**
   * Lets the container become the run's program: the given one, or Prefect's engine in the image's interpreter for null. An engine
   * can be told by {@link noteCancellation} why it is ended. Rejects with a StepError when the entrypoint or the program is not there.
   */
  async become(
    code: Pick<PulledCode, "directory" | "pythonPath">,
    entrypoint: string,
    command: readonly [string, ...string[]] | null,
    isEngine = command === null,
  ): Promise<void> {
    const bridge = await this.#open();
    const env = codeEnvironment(this.#env ?? bridge.hello.env, { ...code, entrypoint });
    await bridge.call({
      op: "become",
      cwd: code.directory,
      env,
      entrypoint,
      command: command === null ? [bridge.hello.python, "-m", "prefect.engine"] : [...command],
      is_engine: isEngine,
    });
    await bridge.closed();
  }

  close(): void {
    this.#bridge?.close();
  }

  async #open(): Promise<ImageBridge> {
    this.#bridge = await this.#options.open();
    this.#env ??= { ...this.#bridge.hello.env };
    if (this.#mustShare) await this.#options.share(this.#bridge.owner);
    this.#mustShare = false;
    return this.#bridge;
  }

  /** The first step's relative directory counts from where the image starts: there lies the code that it brings. */
  async #changeDirectory(directory: string, from: string | undefined): Promise<StepOutcome> {
    const cwd = from ?? (await this.workingDirectory());
    const { outputs, cwd: changed } = await this.#call("chdir", { cwd }, { directory });
    return { outputs: outputs ?? undefined, cwd: changed };
  }

  async #step(
    name: string,
    inputs: JsonObject,
    requires: readonly string[],
    context: StepContext,
  ): Promise<StepOutcome> {
    const { log } = this.#options;
    const request = { name, inputs, requires: [...requires] };
    let reply = await this.#call("step", context, { ...request, installed: false });
    if (Array.isArray(reply["install"])) {
      log.info(`Unable to load step function: ${name}. Attempting install of ${requires.join(", ")}.`);
      const failure = await this.#install(reply["install"], context);
      try {
        reply = await this.#call("step", context, { ...request, installed: true });
      } catch (error) {
        throw failure ?? error;
      }
    }
    for (const warning of reply.warnings) log.warn(warning);
    if (reply.converted.length > 0) {
      log.warn(`Values of the step's result are handed on as their text: ${reply.converted.join(", ")}`);
    }
    const changes = reply.env;
    for (const [variable, value] of Object.entries(changes)) {
      if (value === null) delete this.#env?.[variable];
      else if (this.#env !== undefined) this.#env[variable] = value;
    }
    return {
      outputs: reply.outputs ?? undefined,
      cwd: reply.cwd,
      env: changes,
      pythonPath: reply.python_path,
    };
  }

  // The flow may count on it, the step itself does not need it: what cannot be installed is a warning.
  async #require(requires: readonly string[], context: StepContext): Promise<void> {
    if (requires.length === 0) return;
    const { log } = this.#options;
    const { missing } = await this.#call("look", context, { requires: [...requires] });
    if (!Array.isArray(missing) || missing.length === 0) return;
    log.info(`Installing what the step requires in the container: ${requires.join(", ")}`);
    const failure = await this.#install(missing, context);
    if (failure !== undefined)
      log.warn(`Unable to install ${requires.join(", ")}; the step itself does not need it`);
  }

  async #install(packages: Json, context: StepContext): Promise<StepError | undefined> {
    const { status, tail } = await this.#call("install", context, { packages });
    if (status === 0) return undefined;
    return new StepError(
      `Installing what the step requires failed in the container (status ${JSON.stringify(status)})`,
      {
        outputTail: typeof tail === "string" ? tail : "",
      },
    );
  }

  async #call(
    op: string,
    { cwd }: Pick<StepContext, "cwd">,
    fields: JsonObject,
  ): Promise<BridgeReply & JsonObject> {
    const bridge = await this.#open();
    return await bridge.call({ ...fields, op, cwd, env: this.#env ?? {} });
  }
}
