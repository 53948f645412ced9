import pLimit from "p-limit";
import { v7 as uuidv7 } from "uuid";

import { coerceError } from "../../../errors.ts";
import { textIn } from "../../../json/object.ts";
import { emitEvent } from "../../events/event.ts";
import { ClosedError } from "../../store/database.ts";
import { epochMsOf } from "../../store/timestamp.ts";
import { ActionFailed } from "./outcome.ts";
import { prepareAction } from "./prepare.ts";
import { readActions } from "./triggered-action.ts";

import type { JsonObject } from "../../../json/value.ts";
import type { ServerContext } from "../../context.ts";
import type { Resource } from "../../events/event.ts";
import type { Transaction } from "../../store/database.ts";
import type { Outcome } from "./outcome.ts";
import type { TriggeredAction } from "./triggered-action.ts";

const PAGE = 50;
/** How many calls to other machines may be in hand at once. */
const MAX_OUTSIDE = 10;
/** Events that follow each other so closely name each other, so that their order is sure. */
const TIGHT_MS = 5 * 60 * 1000;

/**
 * Does what automations have written down to be done, in that order. What an action changes in the store, its events and its
 * removal from the list are one transaction: a server that is killed has done it wholly or will do it after its next start. Only
 * what goes out to other machines (`call-webhook`) may then be done twice.
 */
export class ActionRunner {
  readonly #context: ServerContext;
  readonly #stopping = new AbortController();
  readonly #limit = pLimit(MAX_OUTSIDE);
  readonly #outside = new Set<Promise<void>>();
  #done = 0;
  #isWanted = false;
  #running: Promise<void> | undefined;

  constructor(context: ServerContext) {
    this.#context = context;
  }

  /** Looks for what is to be done. */
  wake(): void {
    if (this.#stopping.signal.aborted) return;
    this.#isWanted = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    await Promise.all(this.#outside);
  }

  async #run(): Promise<void> {
    const { database } = this.#context;
    const { signal } = this.#stopping;
    while (this.#isWanted) {
      this.#isWanted = false;
      for (;;) {
        const actions = readActions(database, this.#done, PAGE);
        for (const action of actions) {
          if (signal.aborted) return;
          const done = this.#do(action, signal);
          // Others need not wait for what goes out to other machines.
          if (goesOut(action)) this.#aside(done);
          else await done;
          this.#done = action.seq;
        }
        if (actions.length === 0) break;
      }
    }
  }

  #aside(done: Promise<void>): void {
    this.#outside.add(done);
    void done.finally(() => this.#outside.delete(done));
  }

  /** Never rejects. */
  async #do(triggered: TriggeredAction, signal: AbortSignal): Promise<void> {
    try {
      if (goesOut(triggered)) await this.#limit(() => this.#attempt(triggered, signal));
      else await this.#attempt(triggered, signal);
    } catch (thrown) {
      if (thrown instanceof ClosedError || signal.aborted) return;
      // It stays in the list, for the next start.
      this.#context.logger.error(
        { err: coerceError(thrown), action: triggered.id },
        "An action could not be finished",
      );
    }
  }

  async #attempt(triggered: TriggeredAction, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { database, logger } = this.#context;
    try {
      const commit = await prepareAction(this.#context, triggered, signal);
      await database.write((tx) => this.#finish(tx, triggered, "executed", commit(tx), {}));
    } catch (thrown) {
      if (thrown instanceof ClosedError || signal.aborted) throw thrown;
      const failure = thrown instanceof ActionFailed ? thrown : undefined;
      const error = coerceError(thrown);
      const reason = failure === undefined ? `Unexpected error: ${error.message}` : error.message;
      const fields = { automation: triggered.automation.name, action: triggered.type, reason };
      if (failure === undefined) logger.error({ ...fields, err: error }, "An automation's action failed");
      else logger.warn(fields, "An automation's action failed");
      const outcome = failure?.outcome ?? { related: [], details: {} };
      await database.write((tx) => this.#finish(tx, triggered, "failed", outcome, { reason }));
    }
  }

  /** Takes it off the list and says what came of it (prefect/server/events/actions.py: succeed, fail). */
  #finish(
    tx: Transaction,
    triggered: TriggeredAction,
    what: "executed" | "failed",
    outcome: Outcome,
    more: JsonObject,
  ): void {
    const context = this.#context;
    tx.run("DELETE FROM automation_action WHERE id = ?", triggered.id);
    const { automation, triggeringEvent } = triggered;
    const posture = textIn(automation.trigger, "posture");
    const resource: Resource = {
      "prefect.resource.id": `prefect.automation.${automation.id}`,
      "prefect.resource.name": automation.name,
      "prefect.trigger-type": textIn(automation.trigger, "type") ?? "",
      ...(posture === undefined ? {} : { "prefect.posture": posture }),
    };
    const related = [
      ...outcome.related,
      eventResource(triggered.triggeredEventId, "automation-triggered-event"),
      ...(triggeringEvent === null ? [] : [eventResource(triggeringEvent.id, "triggering-event")]),
    ];
    const details = {
      action_index: triggered.index,
      action_type: triggered.type,
      invocation: triggered.id,
    };
    const isTight =
      triggeringEvent !== null &&
      Math.abs(epochMsOf(triggered.triggered) - epochMsOf(triggeringEvent.occurred)) < TIGHT_MS;
    const id = uuidv7();
    emitEvent(context, tx, {
      id,
      occurred: triggered.triggered,
      event: "prefect.automation.action.triggered",
      resource,
      related,
      payload: details,
      follows: isTight ? triggeringEvent.id : null,
    });
    emitEvent(context, tx, {
      event: `prefect.automation.action.${what}`,
      resource,
      related,
      payload: { ...details, ...more, ...outcome.details },
      follows: id,
    });
  }
}

function goesOut({ type }: TriggeredAction): boolean {
  return type === "call-webhook";
}

function eventResource(id: string, role: string): Resource {
  return { "prefect.resource.id": `prefect.event.${id}`, "prefect.resource.role": role };
}
