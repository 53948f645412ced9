import { PythonBridge } from "./bridge.ts";
import { StepError } from "./errors.ts";
import { installFailure, installPackages } from "./install.ts";

import type { JsonObject } from "../json/value.ts";
import type { BridgeMissing, BridgeReply, BridgeRequest } from "./bridge.ts";
import type { StepContext, StepOutcome } from "./types.ts";

type Stage = Pick<StepContext, "python" | "log" | "signal">;

/** The steps of one flow run that only exist in Python; they share one process, which starts with the first of them. */
export class PythonSteps {
  readonly #stage: Stage;
  readonly #importPath: string;
  #bridge: PythonBridge | undefined;
  #python = "";

  /** Modules in `importPath` can be imported. */
  constructor(stage: Stage, importPath: string) {
    this.#stage = stage;
    this.#importPath = importPath;
  }

  /**
   * Imports and calls a function. When it, or a module of `requires`, cannot be imported, what is required is installed first
   * (protocol §5.1, prefect/deployments/steps/core.py: _get_function_for_step).
   */
  async run(
    name: string,
    inputs: JsonObject,
    requires: readonly string[],
    context: StepContext,
  ): Promise<StepOutcome> {
    const request = { op: "step", ...place(context), name, inputs, requires } as const;
    const bridge = await this.#open(context);
    const reply = await bridge.call({ ...request, installed: false });
    if (!("install" in reply)) return this.#outcome(reply);
    const failure = await this.#install(name, reply.install, requires, context);
    try {
      return this.#outcome(await bridge.call({ ...request, installed: true }));
    } catch (error) {
      throw failure ?? error;
    }
  }

  /** Lets a storage block put its files into `localPath`. */
  async pullStorage(
    storage: { readonly documentId: string; readonly fromPath: string | null; readonly localPath: string },
    context: Pick<StepContext, "cwd" | "env">,
  ): Promise<StepOutcome> {
    const bridge = await this.#open(context);
    const reply = await bridge.call({
      op: "storage",
      ...place(context),
      document_id: storage.documentId,
      from_path: storage.fromPath,
      local_path: storage.localPath,
    });
    return this.#outcome(reply);
  }

  async stop(): Promise<void> {
    await this.#bridge?.stop();
    this.#bridge = undefined;
  }

  async #open(context: Pick<StepContext, "env">): Promise<PythonBridge> {
    const python = await this.#stage.python();
    // A step made an environment: what follows runs there.
    if (python !== this.#python) await this.stop();
    this.#python = python;
    this.#bridge ??= new PythonBridge({
      python: this.#python,
      importPath: this.#importPath,
      env: context.env,
      onLine: (line) => this.#stage.log.output(line),
      signal: this.#stage.signal,
    });
    return this.#bridge;
  }

  // The step may be importable all the same, so a failure only counts when it is not.
  async #install(
    name: string,
    packages: readonly string[],
    requires: readonly string[],
    context: StepContext,
  ): Promise<StepError | undefined> {
    const { log } = this.#stage;
    log.info(`Unable to load step function: ${name}. Attempting install of ${requires.join(", ")}.`);
    const result = await installPackages({
      ...place(context),
      python: this.#python,
      args: packages,
      signal: context.signal,
      onLine: (line) => log.output(line),
    });
    if (result.exitCode === 0) return undefined;
    log.warn(`Unable to install required packages for ${name}`);
    return installFailure(`Installing what the step requires (${requires.join(", ")})`, this.#python, result);
  }

  #outcome(reply: BridgeReply | BridgeMissing): StepOutcome {
    if ("install" in reply) throw new StepError("The Python bridge asks for packages that are installed");
    const { log } = this.#stage;
    for (const warning of reply.warnings) log.warn(warning);
    if (reply.converted.length > 0) {
      log.warn(`Values of the step's result are handed on as their text: ${reply.converted.join(", ")}`);
    }
    return {
      outputs: reply.outputs ?? undefined,
      cwd: reply.cwd,
      env: reply.env,
      pythonPath: reply.python_path,
    };
  }
}

function place(context: Pick<StepContext, "cwd" | "env">): Pick<BridgeRequest, "cwd" | "env"> {
  return { cwd: context.cwd, env: context.env };
}
