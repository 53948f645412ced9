import { v7 as uuidv7 } from "uuid";

import { textIn } from "../../json/object.ts";
import { parseJson } from "../../json/parse.ts";
import { stringifyJson } from "../../json/stringify.ts";
import { isJsonObject } from "../../json/value.ts";
import { emitEvent } from "../events/event.ts";
import { microsOf, timestampOfMicros } from "../store/timestamp.ts";
import { eventJson, eventText, firingJson, newFiring } from "./firing.ts";
import { expectedFirings } from "./trigger.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { ServerEvent } from "../events/event.ts";
import type { Evaluation } from "./evaluation.ts";
import type { Firing } from "./firing.ts";
import type { CompositeTrigger } from "./trigger.ts";

/** Passes a firing on to the composite trigger that waits for it, or acts on it when the automation's own trigger has fired. */
export function fire(run: Evaluation, firing: Firing): void {
  const { parent } = firing.trigger;
  if (parent === null) act(run, firing);
  else completeComposite(run, parent, firing);
}

/** Fires a composite trigger when enough of its parts have fired (prefect: evaluate_composite_trigger). */
function completeComposite(run: Evaluation, composite: CompositeTrigger, firing: Firing): void {
  let firings: readonly JsonObject[];
  if (expectedFirings(composite) === 1) firings = [firingJson(firing)];
  else {
    if (composite.within !== null) {
      forgetChildren(run, composite, microsOf(firing.triggered) - composite.within);
    }
    rememberChild(run, composite, firing);
    firings = childFirings(run, composite);
    if (!isReady(composite, firings)) return;
    forgetChildren(run, composite, Infinity);
  }
  fire(
    run,
    newFiring(composite, run.instant(), {
      triggeringFirings: firings,
      triggeringEvent: firing.triggeringEvent,
    }),
  );
}

function isReady(composite: CompositeTrigger, firings: readonly JsonObject[]): boolean {
  if (composite.type === "compound") return firings.length >= expectedFirings(composite);
  const order = firings
    .toSorted((a, b) => ((textIn(a, "triggered") ?? "") < (textIn(b, "triggered") ?? "") ? -1 : 1))
    .map((firing) => (isJsonObject(firing["trigger"]) ? firing["trigger"]["id"] : undefined));
  return (
    order.length === composite.triggers.length && composite.triggers.every(({ id }, at) => order[at] === id)
  );
}

const OF_COMPOSITE = "automation_id = ? AND parent_trigger_id = ?";

/** Only the last firing of each part counts. */
function rememberChild({ tx, automation }: Evaluation, composite: CompositeTrigger, firing: Firing): void {
  tx.run(
    "INSERT OR REPLACE INTO automation_child_firing (automation_id, parent_trigger_id, child_trigger_id, fired_at, firing) VALUES (?,?,?,?,?)",
    automation.id,
    composite.id,
    firing.trigger.id,
    firing.triggered,
    stringifyJson(firingJson(firing)),
  );
}

function childFirings({ tx, automation }: Evaluation, composite: CompositeTrigger): JsonObject[] {
  return tx
    .all<{ firing: string }>(
      `SELECT firing FROM automation_child_firing WHERE ${OF_COMPOSITE} ORDER BY fired_at`,
      automation.id,
      composite.id,
    )
    .map(({ firing }) => parseJson(firing) as JsonObject);
}

function forgetChildren({ tx, automation }: Evaluation, composite: CompositeTrigger, before: number): void {
  tx.run(
    `DELETE FROM automation_child_firing WHERE ${OF_COMPOSITE} AND fired_at < ?`,
    automation.id,
    composite.id,
    before === Infinity ? "9999" : timestampOfMicros(before),
  );
}

/**
 * Says that the automation has triggered, and writes down what is to be done: it is done from there (see `ActionRunner`), so that
 * nothing is lost or done twice when the server is killed (prefect/server/events/triggers.py: act).
 */
function act(run: Evaluation, firing: Firing): void {
  const { context, tx, automation } = run;
  const { triggeringEvent } = firing;
  const triggered = emitEvent(context, tx, {
    occurred: firing.triggered,
    event: "prefect.automation.triggered",
    resource: {
      "prefect.resource.id": `prefect.automation.${automation.id}`,
      "prefect.resource.name": automation.name,
      ...(firing.trigger.type === "event" ? { "prefect.posture": firing.trigger.posture } : {}),
    },
    related:
      triggeringEvent === null
        ? []
        : [
            {
              "prefect.resource.id": `prefect.event.${triggeringEvent.id}`,
              "prefect.resource.role": "triggering-event",
            },
          ],
    payload: {
      triggering_labels: firing.triggeringLabels,
      triggering_event: triggeringEvent === null ? null : eventJson(triggeringEvent),
    },
  });
  const firingText = stringifyJson(firingJson(firing));
  const actions = [
    ...actionsIn(automation.json["actions"]).map((action) => [action, triggeringEvent] as const),
    ...actionsIn(automation.json["actions_on_trigger"]).map((action) => [action, triggered] as const),
  ];
  for (const [index, [action, event]] of actions.entries()) {
    insertAction(run, { action, index, event, firing, firingText, triggeredEventId: triggered.id });
  }
}

interface NewAction {
  readonly action: JsonObject;
  readonly index: number;
  readonly event: ServerEvent | null;
  readonly firing: Firing;
  readonly firingText: string;
  readonly triggeredEventId: string;
}

function insertAction({ tx, automation }: Evaluation, given: NewAction): void {
  tx.run(
    `INSERT INTO automation_action (id, automation, action, action_index, triggered, triggering_labels, triggering_event, firing, triggered_event_id)
     VALUES (?,?,?,?,?,?,?,?,?)`,
    uuidv7(),
    stringifyJson(automation.json),
    stringifyJson(given.action),
    given.index,
    given.firing.triggered,
    stringifyJson(given.firing.triggeringLabels),
    eventText(given.event),
    given.firingText,
    given.triggeredEventId,
  );
}

function actionsIn(json: Json | undefined): JsonObject[] {
  return (Array.isArray(json) ? (json as readonly Json[]) : []).filter((action) => isJsonObject(action));
}
