import type { Call } from "./call.ts";

const SINCE = { since: "2026-01-01T00:00:00Z", until: "2100-01-01T00:00:00Z" };
const ONLY = { occurred: SINCE, event: { prefix: ["shapes."] } };
const RUN_EVENTS = {
  occurred: SINCE,
  resource: { id: ["prefect.flow-run.<run>"] },
  event: { prefix: ["prefect.flow-run."] },
  order: "ASC",
};

const at = (second: number): string =>
  new Date(Math.floor(Date.now() / 1000) * 1000 - 60_000 + second * 1000).toISOString();

function event(name: string, second: number): Record<string, unknown> {
  return {
    id: `10000000-0000-4000-8000-00000000000${second}`,
    occurred: at(second),
    event: `shapes.${name}`,
    resource: { "prefect.resource.id": `shapes.thing.${second % 2}`, "prefect.resource.name": "Thing" },
    related: [{ "prefect.resource.id": "shapes.owner.1", "prefect.resource.role": "owner" }],
    payload: { n: second, nested: { a: [1.5, null] } },
    follows: null,
  };
}

const RECENT = { ...ONLY, occurred: { since: at(0), until: at(30) } };

export const EVENTS: readonly Call[] = [
  { request: "POST /events", body: [event("made", 1), event("used", 2), event("used", 3)] },
  { request: "POST /events", body: {} },
  { request: "POST /events", body: [{ event: "shapes.broken" }] },
  { request: "POST /events", body: [{ event: "shapes.broken", resource: { a: "b" } }] },
  { request: "POST /events/filter", body: { filter: ONLY }, until: { total: 3 } },
  {
    request: "POST /events/filter",
    body: { filter: { ...ONLY, order: "ASC" }, limit: 2 },
    saves: { nextPage: "next_page" },
  },
  { request: "GET <nextPage>" },
  { request: "POST /events/filter", body: { filter: { ...ONLY, resource: { distinct: true } } } },
  {
    request: "POST /events/filter",
    body: {
      filter: {
        ...ONLY,
        any_resource: { id: ["shapes.owner.1"] },
        id: { id: ["10000000-0000-4000-8000-000000000002"] },
      },
    },
  },
  {
    request: "POST /events/filter",
    body: { filter: { ...ONLY, resource: { labels: { "prefect.resource.name": ["Th*", "!Thong"] } } } },
  },
  {
    request: "POST /events/filter",
    body: { filter: { ...ONLY, event: { ...ONLY.event, name: ["shapes.made"], exclude_name: ["x"] } } },
  },
  { request: "POST /events/filter", body: { filter: { ...ONLY, shape: "round" } } },
  { request: "POST /events/filter", body: { filter: { ...ONLY, event: { name: ["shapes.used"] } } } },
  {
    request: "POST /events/filter",
    body: {
      filter: {
        ...ONLY,
        resource: { id_prefix: ["shapes.thing."], labels: { "prefect.resource.id": "shapes.thing.1" } },
      },
    },
  },
  { request: "POST /events/filter", body: { filter: { ...ONLY, related: { role: ["owner"] } } } },
  { request: "POST /events/filter", body: { filter: RUN_EVENTS }, until: { total: 5 } },
  { request: "POST /events/filter", body: { limit: 51 } },
  { request: "POST /events/filter", body: { filter: { occurred: { since: "yesterday" } } } },
  { request: "GET /events/filter/next?page-token=nonsense" },
  { request: "GET /events/filter/next" },
  { request: "POST /events/count-by/event", body: { filter: RECENT } },
  { request: "POST /events/count-by/resource", body: { filter: RECENT } },
  {
    request: "POST /events/count-by/day",
    body: { filter: RECENT },
  },
  {
    request: "POST /events/count-by/time",
    body: {
      filter: { ...ONLY, occurred: { since: at(0), until: at(4) } },
      time_unit: "second",
      time_interval: 1,
    },
  },
  { request: "POST /events/count-by/time", body: { filter: ONLY, time_unit: "second" } },
  { request: "POST /events/count-by/weather", body: { filter: ONLY } },
  { request: "POST /events/count-by/event", body: {} },
];
