import type { Json, JsonObject } from "../json/value.ts";
import type { LogEntry } from "../log/types.ts";
import type { Caller } from "./calls.ts";
import type { CallOptions } from "./http.ts";
import type { PrefectEvent } from "./types.ts";

/** What the worker tells about runs without changing them. */
export interface TelemetryCalls {
  /** Sends a batch of log lines, at most about 4 MB (protocol §2.6). */
  createLogs(batch: readonly LogEntry[], options?: CallOptions): Promise<void>;
  /** Sends events. Servers before 2.16.9 answer 404. */
  createEvents(events: readonly PrefectEvent[], options?: CallOptions): Promise<void>;
}

export function createTelemetryCalls(caller: Caller): TelemetryCalls {
  return {
    async createLogs(batch, options) {
      await caller.tell({ method: "POST", path: "/logs/", body: batch.map(logBody) }, options);
    },

    async createEvents(events, options) {
      await caller.tell({ method: "POST", path: "/events", body: events.map(eventBody) }, options);
    },
  };
}

function logBody(entry: LogEntry): JsonObject {
  return { ...entry };
}

function eventBody({ follows, ...event }: PrefectEvent): Json {
  return { ...event, related: event.related.map((item) => ({ ...item })), follows: follows ?? null };
}
