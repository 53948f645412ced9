import { ApiError } from "../../http/errors.ts";

import type { JsonObject } from "../../../json/value.ts";
import type { Resource } from "../../events/event.ts";

/** What an action has done, for its event. */
export interface Outcome {
  /** Resources that it has to do with. */
  readonly related: readonly Resource[];
  /** Goes into the event's payload. */
  readonly details: JsonObject;
}

/** An action could not be done, for a reason that its event tells. It is not tried again. */
export class ActionFailed extends Error {
  readonly outcome: Outcome;

  constructor(reason: string, outcome: Partial<Outcome> = {}) {
    super(reason);
    this.name = "ActionFailed";
    this.outcome = { related: outcome.related ?? [], details: outcome.details ?? {} };
  }
}

/** Does what a request to the API would do; its error becomes the reason that Prefect gives for such an answer. */
export function asRequest<T>(type: string, outcome: Partial<Outcome>, run: () => T): T {
  try {
    return run();
  } catch (thrown) {
    if (!(thrown instanceof ApiError)) throw thrown;
    const { status, body } = thrown;
    const detail = typeof body === "object" && body !== null && "detail" in body ? body.detail : undefined;
    const related = outcome.related ?? [];
    throw new ActionFailed(reasonFor(type, status, typeof detail === "string" ? detail : undefined), {
      related,
      details: {
        ...outcome.details,
        status_code: status,
        ...(status === 409 && type === "run-deployment" ? { validation_error: detail ?? null } : {}),
      },
    });
  }
}

function reasonFor(type: string, status: number, detail: string | undefined): string {
  if (status === 422 || (status === 409 && detail !== undefined))
    return `Validation error occurred for '${type}'${detail === undefined ? "" : ` - ${detail}`}`;
  return status === 409
    ? `Conflict (409) occurred for '${type}'`
    : `Unexpected status from '${type}' action: ${status}`;
}

/** A resource in the role of what an action is done to. */
export function target(kind: string, id: string, name?: string): Resource {
  return {
    "prefect.resource.id": `prefect.${kind}.${id}`,
    ...(name === undefined ? {} : { "prefect.resource.name": name }),
    "prefect.resource.role": "target",
  };
}
