import { parseJson } from "../../json/parse.ts";
import { jsonText, serializeReply } from "../http/reply.ts";

import type { JsonObject } from "../../json/value.ts";
import type { Reply } from "../http/reply.ts";
import type { Reader, SqlValue } from "../store/database.ts";

/** A row of automation; JSON columns are texts. */
export interface AutomationRow {
  readonly id: string;
  readonly created: string;
  readonly updated: string;
  readonly name: string;
  readonly description: string;
  readonly enabled: number;
  readonly tags: string;
  readonly trigger: string;
  readonly actions: string;
  readonly actions_on_trigger: string;
  readonly actions_on_resolve: string;
}

/** The automations that a clause chooses: `WHERE …` with ORDER BY and LIMIT. */
export function selectAutomations(
  reader: Reader,
  clause: string,
  ...values: readonly SqlValue[]
): AutomationRow[] {
  return reader.all<AutomationRow>(`SELECT automation.* FROM automation ${clause}`, ...values);
}

export function findAutomation(reader: Reader, id: string): AutomationRow | undefined {
  return selectAutomations(reader, "WHERE id = ?", id)[0];
}

/** The answer for an automation. */
export function automationReply(row: AutomationRow): Reply {
  return {
    name: row.name,
    description: row.description,
    enabled: row.enabled === 1,
    tags: jsonText(row.tags),
    trigger: jsonText(row.trigger),
    actions: jsonText(row.actions),
    actions_on_trigger: jsonText(row.actions_on_trigger),
    actions_on_resolve: jsonText(row.actions_on_resolve),
    id: row.id,
    created: row.created,
    updated: row.updated,
  };
}

/** An automation as JSON. */
export interface AutomationJson extends JsonObject {
  readonly id: string;
  readonly name: string;
  readonly trigger: JsonObject;
}

/** The same as JSON, as events hold it. */
export function automationJson(row: AutomationRow): AutomationJson {
  return parseJson(serializeReply(automationReply(row))) as AutomationJson;
}
