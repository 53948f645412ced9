import type { Json, JsonObject } from "../json/value.ts";

/** What a step writes goes to the run's logs in the API and to the worker's own log; secrets are masked by the sink. */
export interface StepLog {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
  /** One line of a tool's output (`stream_output`); shown on the worker's console only. */
  output(line: string): void;
}

/** Where `{{ prefect.blocks… }}` and `{{ prefect.variables… }}` come from. */
export interface ReferenceLookups {
  /** The block document's `data`, secrets included, or undefined when there is none. */
  block(typeSlug: string, documentName: string): Promise<Json | undefined>;
  /** The same by id, for `$ref`. */
  blockById(documentId: string): Promise<Json | undefined>;
  /** The variable's value, or undefined when there is none. */
  variable(name: string): Promise<Json | undefined>;
}

/** Handed to every step. */
export interface StepContext {
  /** Absolute current directory of the flow's preparation; relative inputs count from here. */
  readonly cwd: string;
  /** Where a relative directory of set_working_directory counts from instead (see PullStage). */
  readonly sourceCwd?: string | undefined;
  /** Environment of the flow run (worker's own, settings, job variables), as the engine would see it. */
  readonly env: Readonly<Record<string, string>>;
  /** Absolute path of the flow's Python interpreter; rejects with a clear StepError when there is none. */
  python(): Promise<string>;
  /** Absolute directory of the cached Python environments. */
  readonly environmentsDir: string;
  /** Outcomes of steps that one command may repeat; absent where nothing is repeated. */
  readonly repeated?: Map<string, Promise<StepOutcome>> | undefined;
  readonly log: StepLog;
  readonly signal: AbortSignal;
  /** Hides a value from every log, error and output from now on. */
  registerSecret(secret: string): void;
}

/** What a step leaves behind. */
export interface StepOutcome {
  /** Merged into the outputs, and stored under the step's `id`; undefined when the step returned no mapping. */
  readonly outputs?: JsonObject | undefined;
  /** A new current directory, when the step changed it. */
  readonly cwd?: string | undefined;
  /** Environment variables that the step set, or unset (null). */
  readonly env?: Readonly<Record<string, string | null>> | undefined;
  /** Directories that the step put on Python's import path. */
  readonly pythonPath?: readonly string[] | undefined;
  /** Absolute path of the interpreter of a virtual environment in which the next steps and the flow are to run. */
  readonly python?: string | undefined;
}

/** A step that the worker runs itself. Inputs come templated and resolved, without `id` and `requires`. */
export interface NativeStep {
  /** All module paths under which a deployment may name it. */
  readonly names: readonly string[];
  /** False for inputs with which only Python's step can do; all when it is absent. */
  fits?(inputs: JsonObject): boolean;
  run(inputs: JsonObject, context: StepContext): Promise<StepOutcome>;
}
