import { randomUUID } from "node:crypto";
import { expect } from "vitest";

import type { Api } from "./api.ts";

/** An event as it comes from the API; tests look at the fields that they name. */
export interface SeenEvent {
  readonly id: string;
  readonly event: string;
  readonly resource: Readonly<Record<string, string>>;
  readonly related: readonly Readonly<Record<string, string>>[];
  // oxlint-disable-next-line typescript/no-explicit-any -- JSON of many shapes
  readonly payload: any;
}

export interface GivenEvent {
  readonly name: string;
  /** Id of the resource. */
  readonly about?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly related?: readonly Readonly<Record<string, string>>[];
  readonly payload?: unknown;
  /** Seconds after the first day of 2026. */
  readonly at?: number;
  readonly id?: string;
  readonly follows?: string;
}

const START = Date.parse("2026-01-01T00:00:00Z");

export function instant(seconds: number): string {
  return new Date(START + seconds * 1000).toISOString();
}

/** Sends events in one request. */
export async function send(api: Api, ...events: readonly GivenEvent[]): Promise<void> {
  await api.post(
    "/events",
    events.map(({ name, about = "thing", labels = {}, related = [], payload = {}, at, id, follows }) => ({
      id: id ?? randomUUID(),
      event: name,
      occurred: at === undefined ? new Date().toISOString() : instant(at),
      resource: { "prefect.resource.id": about, ...labels },
      related,
      payload,
      ...(follows === undefined ? {} : { follows }),
    })),
  );
}

/** Makes an automation; returns its id. */
export async function automate(
  api: Api,
  trigger: Readonly<Record<string, unknown>>,
  fields: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const { id } = await api.post("/automations/", {
    name: `automation ${randomUUID()}`,
    trigger: trigger["type"] === undefined ? { type: "event", posture: "Reactive", ...trigger } : trigger,
    actions: [{ type: "do-nothing" }],
    ...fields,
  });
  return id as string;
}

/** Events of an automation with that name, in their order. */
async function eventsOf(api: Api, automationId: string, name: string): Promise<SeenEvent[]> {
  const { events } = await api.post("/events/filter", {
    filter: {
      event: { name: [name] },
      resource: { id: [`prefect.automation.${automationId}`] },
      occurred: { since: "2000-01-01T00:00:00Z", until: "2100-01-01T00:00:00Z" },
      order: "ASC",
    },
  });
  return events as SeenEvent[];
}

/** How often an automation has fired, once all events so far are evaluated. */
export async function firings(api: Api, automationId: string): Promise<SeenEvent[]> {
  await settle(api);
  return eventsOf(api, automationId, "prefect.automation.triggered");
}

/** What has become of the automation's actions, as soon as there are that many: `executed` or `failed` events in the order of the actions. */
export async function outcomes(api: Api, automationId: string, count: number): Promise<SeenEvent[]> {
  let found: SeenEvent[] = [];
  await expect
    .poll(
      async () => {
        found = [
          ...(await eventsOf(api, automationId, "prefect.automation.action.executed")),
          ...(await eventsOf(api, automationId, "prefect.automation.action.failed")),
        ];
        return found.length;
      },
      { timeout: 10_000 },
    )
    .toBe(count);
  return found.toSorted((a, b) => a.payload.action_index - b.payload.action_index);
}

/** Resolves when everything that was sent so far is evaluated: events are evaluated in their order. */
export async function settle(api: Api): Promise<void> {
  const name = `settled.${randomUUID()}`;
  const id = await automate(api, { expect: [name] });
  await send(api, { name });
  await expect
    .poll(async () => (await eventsOf(api, id, "prefect.automation.triggered")).length, { timeout: 10_000 })
    .toBe(1);
  await api.call("DELETE", `/automations/${id}`);
}
