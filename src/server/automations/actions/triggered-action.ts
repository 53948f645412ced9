import { textIn } from "../../../json/object.ts";
import { parseJson } from "../../../json/parse.ts";
import { objectColumn } from "../../store/json-column.ts";
import { eventOfText } from "../firing.ts";

import type { JsonObject } from "../../../json/value.ts";
import type { Resource, ServerEvent } from "../../events/event.ts";
import type { Reader } from "../../store/database.ts";
import type { AutomationJson } from "../row.ts";

/** Something that is to be done because an automation has triggered (prefect: TriggeredAction). */
export interface TriggeredAction {
  readonly seq: number;
  /** Names this one time that it is to be done. */
  readonly id: string;
  /** As it was when it triggered. */
  readonly automation: AutomationJson;
  readonly action: JsonObject;
  readonly type: string;
  readonly index: number;
  /** Stored form. */
  readonly triggered: string;
  readonly triggeringLabels: Resource;
  readonly triggeringEvent: ServerEvent | null;
  readonly firing: JsonObject;
  /** Id of the event that says that the automation has triggered. */
  readonly triggeredEventId: string;
}

interface Row {
  readonly seq: number;
  readonly id: string;
  readonly automation: string;
  readonly action: string;
  readonly action_index: number;
  readonly triggered: string;
  readonly triggering_labels: string;
  readonly triggering_event: string | null;
  readonly firing: string;
  readonly triggered_event_id: string;
}

/** What is to be done after a place in the list, the oldest first. */
export function readActions(reader: Reader, after: number, limit: number): TriggeredAction[] {
  return reader
    .all<Row>("SELECT * FROM automation_action WHERE seq > ? ORDER BY seq LIMIT ?", after, limit)
    .map((row) => {
      const action = objectColumn(row.action);
      return {
        seq: row.seq,
        id: row.id,
        automation: parseJson(row.automation) as AutomationJson,
        action,
        type: textIn(action, "type") ?? "",
        index: row.action_index,
        triggered: row.triggered,
        triggeringLabels: parseJson(row.triggering_labels) as Resource,
        triggeringEvent: eventOfText(row.triggering_event),
        firing: objectColumn(row.firing),
        triggeredEventId: row.triggered_event_id,
      };
    });
}
