import type { JsonObject } from "../json/value.ts";
import type { ImageSteps } from "./image-steps.ts";
import type { StepLog, StepOutcome } from "./types.ts";

/** What the preparation of a flow's code needs around it. */
export interface PullStage {
  /** Absolute directory in which the preparation begins. */
  readonly cwd: string;
  /**
   * Absolute directory in which the runner was started, where it is another one: the deployment's storage path, and the first
   * step's relative directory, count from there; steps in Python can import its modules.
   */
  readonly sourceCwd?: string | undefined;
  /** Where the steps happen that need the flow's image, when it runs in a container; absent: here. */
  readonly image?: ImageSteps | undefined;
  /** Environment of the flow run before the steps. */
  readonly env: Readonly<Record<string, string>>;
  /** Absolute path of the flow's interpreter; called only when a step needs it. */
  python(): Promise<string>;
  /** Absolute directory of the cached Python environments. */
  readonly environmentsDir: string;
  /** Outcomes of steps that one command may repeat for several deployments. */
  readonly repeated?: Map<string, Promise<StepOutcome>> | undefined;
  readonly log: StepLog;
  readonly signal: AbortSignal;
  /** Called with every text that a block gives to a step. */
  registerSecret(secret: string): void;
}

/** Where the flow's code lies now, and what its process starts with. */
export interface PulledCode {
  /** Absolute, without symbolic links; the flow's process starts here. */
  readonly directory: string;
  readonly outputs: JsonObject;
  /** The environment with the steps' changes. */
  readonly env: Readonly<Record<string, string>>;
  /** What the steps put on Python's import path. */
  readonly pythonPath: readonly string[];
  /** The interpreter of the environment that a step made for the flow; absent when none did. */
  readonly python?: string | undefined;
}
