import { WorkerError } from "../errors.ts";

import type { WorkerErrorOptions } from "../errors.ts";

export interface StepErrorOptions extends WorkerErrorOptions {
  readonly exitCode?: number;
  /** The last lines that the tool wrote, secrets already masked. */
  readonly outputTail?: string;
}

/** A pull step failed. The runner adds which one; the message says why, the hint what to try. */
export class StepError extends WorkerError {
  override readonly name = "StepError";
  readonly toolExitCode: number | undefined;
  readonly outputTail: string | undefined;

  constructor(message: string, options: StepErrorOptions = {}) {
    super("STEP_FAILED", message, options);
    this.toolExitCode = options.exitCode;
    this.outputTail = options.outputTail;
  }
}
