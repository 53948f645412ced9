import { decodeEvent } from "./decode.ts";
import { subscribeToStream } from "./stream.ts";

import type { JsonObject } from "../json/value.ts";
import type { Subscription, SubscriptionOptions } from "./stream.ts";
import type { PrefectEvent } from "./types.ts";

export interface EventSubscriptionOptions extends SubscriptionOptions {
  /**
   * Which events: `event`, `any_resource`… of Prefect's event filter. Called before each connection, so that it may change.
   * `occurred` is set here.
   */
  readonly filter: () => JsonObject;
  /** Called once for each event. What it throws goes to `onProblem`. */
  readonly onEvent: (event: PrefectEvent) => void;
}

const BACKFILL_MS = 60_000;
const YEAR_MS = 365 * 24 * 3600 * 1000;
const REMEMBERED_IDS = 2000;

/**
 * Subscribes to `/events/out` (protocol §7.1). Each connection asks for the last minute, too, and events seen before are left
 * out.
 */
export function subscribeToEvents(options: EventSubscriptionOptions): Subscription {
  const seen = createSeenIds(REMEMBERED_IDS);
  return subscribeToStream({
    ...options,
    path: "/events/out",
    filter: () => filterNow(options),
    onFrame(frame) {
      if (frame["type"] !== "event") return;
      const event = decodeEvent(frame["event"] ?? null);
      if (seen.add(event.id)) options.onEvent(event);
    },
  });
}

function filterNow(options: EventSubscriptionOptions): JsonObject {
  const now = options.clock.now();
  return {
    id: { id: [] },
    order: "DESC",
    ...options.filter(),
    occurred: {
      since: new Date(now - BACKFILL_MS).toISOString(),
      until: new Date(now + YEAR_MS).toISOString(),
    },
  };
}

interface SeenIds {
  /** False when the id was there already. */
  add(id: string): boolean;
}

/** The latest ids; older ones are forgotten. */
function createSeenIds(limit: number): SeenIds {
  const ids = new Set<string>();
  return {
    add(id) {
      if (ids.has(id)) return false;
      ids.add(id);
      if (ids.size > limit) {
        const [oldest] = ids;
        if (oldest !== undefined) ids.delete(oldest);
      }
      return true;
    },
  };
}
