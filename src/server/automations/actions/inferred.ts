import { ActionFailed } from "./outcome.ts";

import type { Resource, ServerEvent } from "../../events/event.ts";
import type { TriggeredAction } from "./triggered-action.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The id that the action selects, or else the one of the event's first resource of that kind. Throws an ActionFailed. */
export function targetId(
  triggered: TriggeredAction,
  kind: "deployment" | "work-queue" | "work-pool" | "automation",
): string {
  const { action, triggeringEvent } = triggered;
  const selected = action[`${kind.replace("-", "_")}_id`];
  if (action["source"] === "selected" && typeof selected === "string") return selected;
  const noun = kind.replace("-", " ");
  if (triggeringEvent === null) throw new ActionFailed(`No event to infer the ${noun}`);
  const id = idOfFirst(triggeringEvent, kind);
  if (id === undefined) throw new ActionFailed(`No ${noun} could be inferred`);
  return id;
}

/** The flow run that the automation watches (`for_each`), or else the event's. Throws an ActionFailed. */
export function flowRunId({ triggeringLabels, triggeringEvent }: TriggeredAction): string {
  const watched = idOf(triggeringLabels["prefect.resource.id"] ?? "", "flow-run");
  const id = watched ?? (triggeringEvent === null ? undefined : idOfFirst(triggeringEvent, "flow-run"));
  if (id === undefined) throw new ActionFailed("No flow run could be inferred");
  return id;
}

/** The event's first resource of a kind, such as `flow-run`. */
export function firstOfKind({ resource, related }: ServerEvent, kind: string): Resource | undefined {
  return [resource, ...related].find(
    (candidate) => kindOf(candidate["prefect.resource.id"] ?? "") === `prefect.${kind}`,
  );
}

/** The UUID in a resource's id of that kind. */
export function idOf(resourceId: string, kind: string): string | undefined {
  const id = resourceId.slice(resourceId.lastIndexOf(".") + 1);
  return kindOf(resourceId) === `prefect.${kind}` && UUID.test(id) ? id.toLowerCase() : undefined;
}

function idOfFirst(event: ServerEvent, kind: string): string | undefined {
  return idOf(firstOfKind(event, kind)?.["prefect.resource.id"] ?? "", kind);
}

function kindOf(resourceId: string): string {
  return resourceId.slice(0, Math.max(0, resourceId.lastIndexOf(".")));
}
