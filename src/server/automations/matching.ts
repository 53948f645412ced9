import { isGlobMatch } from "./glob.ts";

import type { Resource, ServerEvent } from "../events/event.ts";
import type { EventTrigger, ResourceSpecification } from "./trigger.ts";

type MatchedEvent = Pick<ServerEvent, "event" | "resource" | "related">;

/** Whether a trigger looks at an event at all: by its name, its resource and the related ones (prefect/server/events/triggers.py). */
export function isInterested(trigger: EventTrigger, event: MatchedEvent): boolean {
  return isNameIndexed(trigger, event.event) && covers(trigger, event);
}

/** Whether an event of that name can be of interest; the rest depends on its resources. */
export function isNameIndexed({ expect, after }: EventTrigger, name: string): boolean {
  return (
    expect.length === 0 ||
    expect.some((pattern) => isGlobMatch(name, pattern)) ||
    after.some((pattern) => isGlobMatch(name, pattern))
  );
}

/** Whether names and resources fit (prefect: EventTrigger.covers). A name fits that begins with a pattern. */
function covers(trigger: EventTrigger, { event, resource, related }: MatchedEvent): boolean {
  return (
    trigger.eventPattern.test(event) &&
    includes(trigger.match, [resource]) &&
    trigger.matchRelated.every((specification) => includes(specification, related))
  );
}

/** Whether the event opens the trigger's period; false when the trigger waits for none. */
export function startsAfter({ after }: EventTrigger, name: string): boolean {
  return after.some((pattern) => isMatch(pattern, name));
}

/** Whether the event counts. */
export function expects({ expect }: EventTrigger, name: string): boolean {
  return expect.length === 0 || expect.some((pattern) => isMatch(pattern, name));
}

/** The values of the `for_each` labels, in the order of the sorted labels; one that is missing is an empty text. */
export function bucketingKey({ forEach }: EventTrigger, event: MatchedEvent): string[] {
  return forEach.map((label) => findLabel(event, label) ?? "");
}

/** `label` of the resource, or `related:<role>:<label>` of the first related resource in that role. */
function findLabel({ resource, related }: MatchedEvent, label: string): string | undefined {
  const lastColon = label.lastIndexOf(":");
  const directive = lastColon === -1 ? "" : label.slice(0, lastColon);
  const [kind = "", ...role] = directive.split(":");
  if (kind === "related" && role.length > 0) {
    const first = related.find((candidate) => candidate["prefect.resource.role"] === role.join(":"));
    if (first !== undefined) return own(first, label.slice(lastColon + 1));
  }
  return own(resource, label);
}

function includes(specification: ResourceSpecification, candidates: readonly Resource[]): boolean {
  return (
    specification.size === 0 ||
    candidates.some((resource) =>
      [...specification].every(([label, patterns]) =>
        patterns.some((pattern) => isMatch(pattern, own(resource, label))),
      ),
    )
  );
}

/** A pattern with a `!` before it matches what the pattern does not; nothing matches a label that is not there. */
function isMatch(pattern: string, value: string | undefined): boolean {
  if (value === undefined) return false;
  return pattern.startsWith("!") ? !isGlobMatch(value, pattern.slice(1)) : isGlobMatch(value, pattern);
}

function own(resource: Resource, label: string): string | undefined {
  return Object.hasOwn(resource, label) ? resource[label] : undefined;
}
