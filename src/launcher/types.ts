import type { JsonObject } from "../json/value.ts";

/** A directory or file of this machine that is shown in a container. */
export interface Mount {
  /** Absolute, on this machine. */
  readonly source: string;
  /** Absolute, in the container. */
  readonly target: string;
  readonly readOnly?: boolean;
}

/** In the engine's words, and `creation-failed`. */
export type ContainerStatus = "creation-failed" | "created" | "running" | "exited";

export interface StartedContainer {
  readonly id: string;
  readonly name: string;
}

/** What only a launcher of containers needs to know. */
export interface ContainerSpec {
  /** The run's resolved job configuration: image, networks, volumes, limits and so on (protocol §3.6). */
  readonly configuration: JsonObject;
  /** What the container shall be called; made fit for Docker. */
  readonly name: string;
  /** As Prefect writes them (`prefect.io/flow-run-id`); the job's own are laid over them. */
  readonly labels: Readonly<Record<string, string>>;
  /** Shown in the container besides the job's volumes. */
  readonly mounts?: readonly Mount[];
  /** In place of the image's own; `[]` for none at all. */
  readonly entrypoint?: readonly string[];
  /** In place of the image's own, or the job's. */
  readonly workingDirectory?: string;
  /** `UID:GID` in place of the image's own, or the job's. */
  readonly user?: string;
  /** Told what becomes of the container; null when none could be made. */
  readonly onStatus?: (status: ContainerStatus, container: StartedContainer | null) => void;
  /** Does the pull of the image, which may take minutes; what stands before and after it is a matter of the caller's. */
  readonly aside?: <T>(pull: () => Promise<T>) => Promise<T>;
  /** Told what happens before the container starts, such as the pull of its image. */
  readonly onProgress?: (message: string) => void;
}

/** What a launcher starts: one attempt of one flow run. */
export interface LaunchSpec {
  readonly flowRunId: string;
  /** Names the attempt: `Launcher.find` knows it by this. Random when absent. */
  readonly attempt?: string;
  /** Program and arguments. */
  readonly command: readonly [string, ...string[]];
  /** Absolute. */
  readonly cwd: string;
  /** The child's whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Absolute path of the file that takes stdout and stderr; it outlives the worker. */
  readonly outputFile: string;
  /** Leave the exit status beside the output, for a later worker: `Launcher.endOf` reads it. */
  readonly keepStatus?: boolean;
  /** Keep stderr apart in `<outputFile>.err` (command flow runs log it at another level). */
  readonly splitStderr?: boolean;
  /** Each complete line of the child's output, decoded, without its end. Absent: output is only kept in the file. */
  readonly onLine?: (line: string, stream: "stdout" | "stderr") => void;
  /**
   * Asked when the run is cancelled: true when what runs in the container will see to it by itself, as Prefect's runner does,
   * which is not told of a SIGTERM. It is given some time for it. Absent: it will not.
   */
  readonly cancelsItself?: () => Promise<boolean>;
  /** For a container: `command` and `env` are inside it, `cwd` plays no part. */
  readonly container?: ContainerSpec;
  /** Aborted when the attempt is not wanted any more; heeded as long as it has not begun. */
  readonly signal?: AbortSignal;
}

/** How an attempt ended. Never judge the flow run by it alone: read the run's state (protocol §11.1). */
export type LaunchResult =
  | {
      readonly kind: "exited";
      readonly code: number;
      readonly receipt?: OutcomeReceipt;
      /** False when it is certain that memory was not the reason; absent when nobody knows. */
      readonly oomKilled?: boolean;
      /** Its container was removed by somebody else while it ran. */
      readonly removed?: boolean;
      /** It was killed because it did not end in time when we asked it to. */
      readonly forced?: boolean;
    }
  | {
      readonly kind: "signaled";
      readonly signal: NodeJS.Signals;
      readonly forced: boolean;
      readonly oomKilled?: boolean;
      readonly receipt?: OutcomeReceipt;
    }
  /** It ended while nobody watched (adopted after a restart): no code is known. */
  | {
      readonly kind: "gone";
      /** Its container was removed by somebody else. */
      readonly removed?: boolean;
    }
  /** It goes on without this worker; the next one takes it over. */
  | { readonly kind: "detached" }
  /** It has not begun: a later worker has traced it before, and did not find it. */
  | { readonly kind: "withdrawn" };

/** The engine's own word over the control channel that the attempt is concluded (protocol §7.3). */
export interface OutcomeReceipt {
  readonly disposition: "STATE_REPORTED" | "ORCHESTRATION_ABORTED";
  readonly stateType?: string;
  readonly stateName?: string;
}

/** Why an attempt is ended early; tells the engine what to do with the run's state (protocol §7.3). */
export type StopIntent = "cancel" | "reschedule" | "relinquish" | "none";

export interface StopOptions {
  readonly intent: StopIntent;
  /** From SIGTERM to SIGKILL, both to the whole group. */
  readonly graceMs: number;
  /** How long to wait for the engine's acknowledgement of the intent. */
  readonly acknowledgeMs?: number;
  /** Kill at once, instead of asking, an engine that does not take note of the intent: it must not report a state any more. */
  readonly mustAcknowledge?: boolean;
}

export interface StopResult {
  readonly result: LaunchResult;
  /** True when the engine acknowledged the intent before the signal. */
  readonly acknowledged: boolean;
}

/** A started attempt. */
export interface Infrastructure {
  /** What Prefect calls `infrastructure_pid`. */
  readonly identifier: string;
  /** JSON for the journal; `Launcher.adopt` finds the attempt again by it. */
  readonly handle: Readonly<Record<string, string | number>>;
  /**
   * Resolves once the attempt works on its own: the engine has connected, or it ended, or it had time enough. Never rejects.
   * Until then it counts as starting, of which only so many may go on at once.
   */
  readonly ready: Promise<void>;
  /** Resolves, never rejects, once the attempt and its output have ended. */
  readonly exited: Promise<LaunchResult>;
  /** Idempotent; a second call with a shorter grace hastens the first. */
  stop(options: StopOptions): Promise<StopResult>;
}

/** What housekeeping keeps. */
export interface SweepOptions {
  readonly now: number;
  /** How long what an ended attempt has left stays for whoever wants to look. */
  readonly keepMs: number;
  /** How many attempts' leavings stay at most, the newest. */
  readonly keepCount: number;
  /** True while a worker has the flow run in hand. */
  readonly isInHand: (flowRunId: string) => boolean;
  readonly signal?: AbortSignal;
}

/** What an ended attempt has left that this process may not remove. */
export interface Rubbish {
  /** Absolute, on this machine. */
  readonly directories: readonly string[];
  /** The image that the attempt ran in. */
  readonly image: string;
}

export interface Launcher {
  /** Why nothing can be started for the time being, as far as is known; null when nothing is known to be in the way. */
  readonly obstacle: string | null;
  /** Whether something can be started; never rejects, and takes no longer than some seconds. */
  isReady(): Promise<boolean>;
  /**
   * Rejects with LAUNCH_FAILED when nothing was started, with LaunchPostponed when nothing can be started for the time being,
   * with AttemptWithdrawn when nothing may be any more, and with LaunchUncertain when it had to leave before it knew.
   */
  launch(spec: LaunchSpec): Promise<Infrastructure>;
  /** Takes over an attempt of an earlier worker; null when it is not alive any more. */
  adopt(
    handle: Readonly<Record<string, string | number>>,
    spec: Pick<LaunchSpec, "outputFile" | "onLine" | "cancelsItself" | "signal">,
  ): Promise<Infrastructure | null>;
  /**
   * Whether an attempt has begun whose worker died before it could note it: its handle when it has, also when it is over; null
   * when it has not, and never will: should its process be on its way still, it ends without running the command. Rejects
   * when neither can be made certain.
   */
  trace(
    spec: Pick<LaunchSpec, "outputFile" | "signal"> & { attempt: string },
  ): Promise<Infrastructure["handle"] | null>;
  /** The last lines of an attempt's output, also of one that another worker has started; `[]` when there is none. */
  lastLines(spec: Pick<LaunchSpec, "outputFile">): readonly string[];
  /** True when what it starts can be shown directories of this machine. Rejects with LaunchPostponed when that cannot be found out. */
  sharesFiles(signal?: AbortSignal): Promise<boolean>;
  /** Kills what the attempt's pull steps have left behind, those of a worker that died. */
  endSteps(attempt: string): void;
  /** How an attempt ended that is not alive any more: by the status that it left (`keepStatus`), else "gone". */
  endOf(spec: Pick<LaunchSpec, "outputFile">): LaunchResult;
  /** Removes what ended attempts have left outside this worker's own directories; resolves with their number. */
  sweep(options: SweepOptions): Promise<number>;
  /**
   * Removes what is in the directories, whoever owns it; the directories stay. Rejects when there is no way to; what is left after
   * that, and why, the caller has to look at.
   */
  removeFiles(rubbish: Rubbish, signal: AbortSignal): Promise<void>;
  /** Ends what the launcher itself holds (sockets), not the attempts. */
  close(): Promise<void>;
}
