import type { Infrastructure, LaunchResult } from "../launcher/types.ts";
import type { FlowRunLog } from "../log/flow-run-logs.ts";
import type { Claim, Subject } from "./claim.ts";
import type { RunControl } from "./control.ts";

/** A started process of a run, and all that is needed to judge its end. */
export interface Attempt extends Subject, Pick<Claim, "record"> {
  readonly flowRun: { readonly id: string; readonly name: string };
  readonly infrastructure: Infrastructure;
  readonly exited: Promise<LaunchResult>;
  readonly control: RunControl;
  readonly log: FlowRunLog;
  /**
   * - `engine`: Prefect's engine, started by our own command, reports the run's states itself.
   * - `custom`: a configured command; it may leave the run to something that it submitted elsewhere.
   * - `command`: a program without an engine; its exit code is the run's result.
   */
  readonly kind: "engine" | "custom" | "command";
  readonly isContainer: boolean;
  /** The last lines of the child's output, for the message of a crash. */
  outputTail(): readonly string[];
}

const TAIL_LINES = 5;
const TAIL_LINE_LENGTH = 300;

/** Keeps the last lines that passed. */
export class OutputTail {
  #lines: string[] = [];

  add(line: string): void {
    if (line.trim() === "") return;
    this.#lines.push(line.slice(0, TAIL_LINE_LENGTH));
    if (this.#lines.length > TAIL_LINES) this.#lines.shift();
  }

  get lines(): readonly string[] {
    return this.#lines;
  }
}
