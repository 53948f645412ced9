import { textIn } from "../../../json/object.ts";
import { parseJson } from "../../../json/parse.ts";
import { isJsonObject } from "../../../json/value.ts";
import { serializeReply } from "../../http/reply.ts";
import { limitReply } from "../../concurrency/limits.ts";
import { selectDeployments } from "../../deployments/row.ts";
import { workPoolReply, workQueueReply } from "../../pools/row.ts";
import { flowRunReply } from "../../runs/row.ts";
import { selectTaskRuns } from "../../tasks/row.ts";
import { UNDEFINED } from "../../templates/value.ts";
import { allFirings, eventJson } from "../firing.ts";
import { firstOfKind, idOf } from "./inferred.ts";
import { EventValue, LabelsValue, ModelValue } from "./template-values.ts";
import { UiAddresses } from "./ui-addresses.ts";

import type { JsonObject } from "../../../json/value.ts";
import type { LimitRow } from "../../concurrency/limits.ts";
import type { ServerContext } from "../../context.ts";
import type { Resource } from "../../events/event.ts";
import type { Reply } from "../../http/reply.ts";
import type { WorkPoolRow, WorkQueueRow } from "../../pools/row.ts";
import type { Value } from "../../templates/value.ts";
import type { TriggeredAction } from "./triggered-action.ts";

/**
 * What the templates of an action can name (prefect: JinjaTemplateAction._template_context): the automation, the event, the firing,
 * and of the objects that the event is about and of the variables those that are `used`.
 */
export function templateNames(
  context: ServerContext,
  triggered: TriggeredAction,
  used: ReadonlySet<string>,
): Record<string, Value> {
  const { automation, triggeringEvent, triggeringLabels, firing } = triggered;
  const firings = allFirings(firing);
  const ui = new UiAddresses(context.settings);
  const addressesOf = (
    kind: string,
    id: string,
    name = id,
  ): { uiUrl: string | null; uiEventsUrl: string } => ({
    uiUrl: ui.url(kind, name),
    uiEventsUrl: ui.resourceEventsUrl(`prefect.${kind}.${id}`),
  });
  const names: Record<string, Value> = {
    automation: new ModelValue(automation, addressesOf("automation", automation.id)),
    event: triggeringEvent === null ? null : new EventValue(eventJson(triggeringEvent), ui),
    labels: new LabelsValue(triggeringLabels),
    firing: new ModelValue(firing),
    firings: firings.map((item) => new ModelValue(item)),
    events: firings
      .map(({ triggering_event: event }) => event)
      .filter((event) => isJsonObject(event))
      .map((event) => new EventValue(event, ui)),
  };
  if (triggeringEvent === null) return names;
  for (const [name, read] of Object.entries(OBJECTS)) {
    if (!used.has(name)) continue;
    const kind = name.replaceAll("_", "-");
    const resource = firstOfKind(triggeringEvent, kind);
    const id = idOf(resource?.["prefect.resource.id"] ?? "", kind);
    const reply = id === undefined ? undefined : read(context, id);
    if (reply === undefined || resource === undefined || id === undefined) names[name] = UNDEFINED;
    else {
      const object = withStateOf(resource, parseJson(serializeReply(reply)) as JsonObject);
      // A pool's address is its name.
      const addresses = addressesOf(kind, id, kind === "work-pool" ? textIn(object, "name") : id);
      names[name] = new ModelValue(object, addresses);
    }
  }
  if (used.has("variables")) names["variables"] = variables(context);
  return names;
}

function variables({ database }: ServerContext): JsonObject {
  return Object.fromEntries(
    database
      .all<{ name: string; value: string }>("SELECT name, value FROM variable ORDER BY name")
      .map(({ name, value }) => [name, parseJson(value)]),
  );
}

const OBJECTS: Readonly<Record<string, (context: ServerContext, id: string) => Reply | undefined>> = {
  deployment: ({ database }, id) => selectDeployments(database, "WHERE deployment.id = ?", [id])[0],
  flow: ({ database }, id) => {
    const row = database.get<Record<string, string>>("SELECT * FROM flow WHERE id = ?", id);
    if (row === undefined) return undefined;
    return { ...row, tags: parseJson(row["tags"] ?? "[]"), labels: parseJson(row["labels"] ?? "{}") };
  },
  flow_run: ({ database, clock }, id) => flowRunReply(database, id, clock.now()),
  task_run: ({ database }, id) => selectTaskRuns(database, "WHERE task_run.id = ?", [id])[0],
  work_pool: ({ database }, id) => {
    const row = database.get<WorkPoolRow>("SELECT * FROM work_pool WHERE id = ?", id);
    return row === undefined ? undefined : workPoolReply(database, row);
  },
  work_queue: ({ database }, id) => {
    const row = database.get<WorkQueueRow>("SELECT * FROM work_queue WHERE id = ?", id);
    return row === undefined ? undefined : workQueueReply(database, row);
  },
  concurrency_limit: ({ database }, id) => {
    const row = database.get<LimitRow>("SELECT * FROM concurrency_limit_v2 WHERE id = ?", id);
    return row === undefined ? undefined : limitReply(row);
  },
};

/** A run has the state of the event, whatever has become of it since. */
function withStateOf(resource: Resource, object: JsonObject): JsonObject {
  const { state } = object;
  const [message, name, timestamp, type] = ["message", "name", "timestamp", "type"].map(
    (field) => resource[`prefect.state-${field}`],
  );
  if (!isJsonObject(state) || message === undefined || name === undefined) return object;
  if (timestamp === undefined || type === undefined) return object;
  return { ...object, state: { ...state, message, name, timestamp, type } };
}
