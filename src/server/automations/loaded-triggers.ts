import { objectColumn } from "../store/json-column.ts";
import { isInterested, isNameIndexed } from "./matching.ts";
import { automationJson, selectAutomations } from "./row.ts";
import { allTriggers, compileTrigger } from "./trigger.ts";

import type { ServerEvent } from "../events/event.ts";
import type { Reader } from "../store/database.ts";
import type { LoadedAutomation } from "./evaluation.ts";
import type { EventTrigger } from "./trigger.ts";

/** A trigger that looks at events, with its automation. */
export interface Interest {
  readonly automation: LoadedAutomation;
  readonly trigger: EventTrigger;
}

const MAX_NAMES = 10_000;
/** Events that the work of automations brings forth. */
const OWN = "prefect.automation.";

/** The event triggers of all automations that are enabled. */
export class LoadedTriggers {
  static readonly none = new LoadedTriggers([]);

  readonly #interests: readonly Interest[];
  /** By the name of an event, those that its name is of interest to. */
  readonly #byName = new Map<string, readonly Interest[]>();

  private constructor(interests: readonly Interest[]) {
    this.#interests = interests;
  }

  static read(reader: Reader): LoadedTriggers {
    return new LoadedTriggers(
      selectAutomations(reader, "WHERE enabled = 1 ORDER BY rowid").flatMap((row) => {
        const trigger = compileTrigger(objectColumn(row.trigger));
        const automation = { id: row.id, name: row.name, trigger, json: automationJson(row) };
        return allTriggers(trigger)
          .filter((part) => part.type === "event")
          .map((part) => ({ automation, trigger: part }));
      }),
    );
  }

  get isEmpty(): boolean {
    return this.#interests.length === 0;
  }

  get proactive(): readonly Interest[] {
    return this.#interests.filter(({ trigger }) => trigger.posture === "Proactive");
  }

  has(triggerId: string): boolean {
    return this.#interests.some(({ trigger }) => trigger.id === triggerId);
  }

  isNameOfInterest(name: string): boolean {
    return this.#named(name).length > 0;
  }

  /** An automation never reacts to what is said of itself. */
  interestedIn(event: ServerEvent): readonly Interest[] {
    const about = event.resource["prefect.resource.id"];
    return this.#named(event.event).filter(
      ({ automation, trigger }) =>
        about !== `prefect.automation.${automation.id}` && isInterested(trigger, event),
    );
  }

  #named(name: string): readonly Interest[] {
    let named = this.#byName.get(name);
    if (named === undefined) {
      named = this.#interests.filter(
        ({ trigger }) => isNameIndexed(trigger, name) && (!name.startsWith(OWN) || namesAutomations(trigger)),
      );
      if (this.#byName.size >= MAX_NAMES) this.#byName.clear();
      this.#byName.set(name, named);
    }
    return named;
  }
}

/** Triggers for any event do not mean those of automations: they would bring forth each other for ever. */
function namesAutomations({ expect, after }: EventTrigger): boolean {
  return [...expect, ...after].some((pattern) => pattern.startsWith(OWN));
}
