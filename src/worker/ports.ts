import type { PrefectClient } from "../api/client.ts";

/** The API calls that the worker makes. */
export type WorkerApi = Pick<
  PrefectClient,
  | "apiUrl"
  | "readWorkPool"
  | "createWorkPool"
  | "updateWorkPool"
  | "filterWorkQueues"
  | "heartbeatWorker"
  | "getScheduledFlowRuns"
  | "readDeployment"
  | "readFlow"
  | "readFlowRun"
  | "readFlowRunStates"
  | "filterFlowRuns"
  | "setFlowRunState"
  | "updateFlowRun"
  | "updateFlowRunLabels"
  | "readBlockDocumentByName"
  | "readBlockDocument"
  | "readVariable"
  | "createEvents"
  | "readVersion"
>;
