import type { Clock } from "../lifecycle/clock.ts";
import type { Launcher } from "../launcher/types.ts";
import type { FlowRunLogShipper } from "../log/flow-run-logs.ts";
import type { Logger } from "../log/logger.ts";
import type { Redactor } from "../log/redactor.ts";
import type { WorkPool } from "../api/types.ts";
import type { WorkerEvents } from "./events.ts";
import type { Journal } from "./journal.ts";
import type { WorkerObserver } from "./observer.ts";
import type { WorkerApi } from "./ports.ts";
import type { WorkerType } from "./pool.ts";
import type { Workspaces } from "./workspace.ts";

/** Everything that the life of a run needs around it; one for all runs of a worker. */
export interface RunRoom {
  readonly api: WorkerApi;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly redactor: Redactor;
  readonly runLogs: Pick<FlowRunLogShipper, "forRun">;
  readonly launcher: Launcher;
  readonly workerType: WorkerType;
  readonly journal: Journal;
  readonly workspaces: Workspaces;
  readonly events: Pick<
    WorkerEvents,
    "started" | "stopped" | "submitted" | "executed" | "container" | "cancelled" | "pullStep"
  >;
  readonly observer: Required<WorkerObserver>;
  readonly workerName: string;
  readonly workPoolName: string;
  /** Of this program, for labels. */
  readonly version: string;
  /** As read by the last sync. */
  workPool(): WorkPool;
  /** Known on Prefect Cloud only. */
  workerId(): string | null;
  /** The flow's interpreter for jobs without a command; rejects with a StepError when there is none. */
  python(): Promise<string>;
  /** Where pull steps keep the Python environments that runs share. */
  readonly environmentsDir: string;
  /** The worker's own environment and directory. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly prefectSettings: Readonly<Record<string, string>>;
  /** Where a child's streamed output goes. */
  readonly onOutput: (line: string) => void;
  readonly killGraceMs: number;
  /** Aborted when the worker gives up waiting for the API. */
  readonly closing: AbortSignal;
}
