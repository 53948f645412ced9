import { untilAnswered } from "./patience.ts";

import type { SetStateResult, StateProposal } from "../api/types.ts";
import type { Logger } from "../log/logger.ts";
import type { Patience } from "./patience.ts";
import type { WorkerApi } from "./ports.ts";

export interface ReporterOptions extends Patience {
  readonly api: Pick<WorkerApi, "setFlowRunState">;
  readonly logger: Logger;
}

/**
 * Delivers the states that conclude a run, however long the API is away. It gives up only when the worker must go: then the
 * journal keeps the report for the next start (promise 7).
 */
export class Reporter {
  readonly #options: ReporterOptions;

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  /** Answers null for a run that does not exist any more; rejects when the worker goes or the API refuses for good. */
  async deliver(flowRunId: string, proposal: StateProposal, force: boolean): Promise<SetStateResult | null> {
    const { api, logger, closing } = this.#options;
    return await untilAnswered(
      () => api.setFlowRunState(flowRunId, proposal, { force, signal: closing }),
      this.#options,
      (error) =>
        logger.warn(
          { flowRunId, state: proposal.name, err: error },
          "A state could not be reported; trying again",
        ),
    );
  }
}
