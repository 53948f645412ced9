import type { Call } from "./call.ts";
import type { Conversation } from "./conversation.ts";

const AUTH = { type: "auth", token: "<auth>" };
const RUN = "20000000-0000-4000-8000-000000000001";

function event(digit: number, name: string): Record<string, unknown> {
  return {
    id: `30000000-0000-4000-8000-00000000000${digit}`,
    occurred: new Date(Date.now() - 30_000 + digit).toISOString(),
    event: name,
    resource: { "prefect.resource.id": "talk.thing", "prefect.resource.name": "Thing" },
    related: [{ "prefect.resource.id": "talk.owner", "prefect.resource.role": "owner" }],
    payload: { n: 1.5, nested: [null, { a: true }] },
  };
}

const ALWAYS = { since: "2026-01-01T00:00:00Z", until: "2100-01-01T00:00:00Z" };

function filterOf(name: string): Record<string, unknown> {
  const filter = { occurred: ALWAYS, event: { name: [name] }, any_resource: { id: ["talk.owner"] } };
  return { type: "filter", filter };
}

/** Events are stored a little later than they are sent on. */
function stored(name: string): Call {
  return {
    request: "POST /events/filter",
    body: { filter: { occurred: ALWAYS, event: { name: [name] } } },
    until: { total: 1 },
  };
}

/** The WebSockets' part of the scenario: handshakes, refusals, and the frames of each stream. */
export const CONVERSATIONS: readonly Conversation[] = [
  {
    title: "/events/out sends new events",
    path: "/events/out",
    protocol: "prefect",
    sends: [AUTH, filterOf("talk.live")],
    posts: [1, "/events", [event(1, "talk.other"), event(2, "talk.live")]],
    frames: 2,
  },
  {
    title: "/events/in takes events",
    path: "/events/in",
    protocol: "prefect",
    sends: [AUTH, event(3, "talk.sent")],
    frames: 1,
  },
  ...["talk.live", "talk.sent"].map((name) => ({
    title: `/events/out sends what has been: ${name}`,
    path: "/events/out",
    after: stored(name),
    protocol: "prefect" as const,
    sends: [AUTH, filterOf(name)],
    frames: 2,
  })),
  {
    title: "/logs/out sends new lines",
    path: "/logs/out",
    protocol: "prefect",
    sends: [AUTH, { type: "filter", filter: { flow_run_id: { any_: [RUN] }, level: { ge_: 20 } } }],
    posts: [
      1,
      "/logs/",
      [
        { name: "n", level: 10, message: "low", timestamp: "2039-01-01T00:00:00Z", flow_run_id: RUN },
        { name: "n", level: 30, message: "high", timestamp: "2039-01-01T00:00:00.5Z", flow_run_id: RUN },
      ],
    ],
    frames: 2,
  },
  ...["/events/in", "/events/out", "/logs/out"].flatMap((path): Conversation[] => [
    { title: `${path} without the subprotocol`, path, sends: [AUTH] },
    { title: `${path} without auth`, path, protocol: "prefect", sends: [filterOf("x")] },
    { title: `${path} without a token`, path, protocol: "prefect", sends: [{ type: "auth", token: null }] },
    {
      title: `${path} with a wrong token`,
      path,
      protocol: "prefect",
      sends: [{ type: "auth", token: "a:b" }],
    },
  ]),
  ...["/events/out", "/logs/out"].flatMap((path): Conversation[] => [
    { title: `${path} with something else than a filter`, path, protocol: "prefect", sends: [AUTH, AUTH] },
  ]),
  { title: "an unknown path", path: "/no/such/socket", protocol: "prefect", sends: [AUTH] },
];
