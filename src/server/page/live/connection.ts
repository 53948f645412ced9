import { useEffect, useRef } from "preact/hooks";

import { openLiveSocket } from "../api/live-socket.ts";
import { Store } from "./store.ts";

import type { JsonObject, LiveEvent } from "../api/types.ts";

/** `connecting`: not yet, or no longer for a moment; `live`: events come as they happen. */
export type Liveness = "connecting" | "live";

const OVERLAP_MS = 10_000;

/** Whether the view's events come live. */
export const liveness = new Store<Liveness>("connecting");

/** Counts the (re)connections: what a view has read before the last one may be out of date. */
export const connectionCount = new Store(0);

/**
 * The view's one subscription to the server's events. `filter` is Prefect's event filter; a new one (by its content) opens a
 * new subscription.
 */
export function useEvents(filter: JsonObject, onEvents: (events: readonly LiveEvent[]) => void): void {
  const handler = useRef(onEvents);
  handler.current = onEvents;
  const key = JSON.stringify(filter);
  useEffect(() => {
    liveness.set("connecting");
    const close = openLiveSocket<LiveEvent>({
      path: "/events/out",
      // What happens while the subscription is being made comes with it.
      filter: () => ({
        ...(JSON.parse(key) as JsonObject),
        occurred: { since: new Date(Date.now() - OVERLAP_MS).toISOString() },
      }),
      field: "event",
      onItems: (events) => handler.current(events),
      onOpen() {
        liveness.set("live");
        connectionCount.set(connectionCount.value + 1);
      },
      onLost: () => liveness.set("connecting"),
    });
    return close;
  }, [key]);
}

const NO_EVENTS: JsonObject = { event: { name: ["none"] } };

/** For a view without events of its own: an empty subscription, which tells whether the server is there. */
export function useLiveness(): void {
  useEvents(NO_EVENTS, () => undefined);
}
