import { missing } from "./call.ts";

import type { Call } from "./call.ts";

const TRIGGER = { type: "event", posture: "Reactive", expect: ["a.b"], threshold: 2, within: 60 };
const AUTOMATION = { name: "first", trigger: TRIGGER, actions: [{ type: "do-nothing" }] };

export const AUTOMATIONS: readonly Call[] = [
  { request: "POST /automations/", body: AUTOMATION, saves: { automation: "id" } },
  {
    request: "POST /automations/",
    body: {
      name: "second",
      description: "told",
      enabled: false,
      tags: ["t"],
      trigger: {
        type: "compound",
        require: "all",
        within: 10,
        triggers: [TRIGGER, { type: "event", posture: "Proactive", expect: ["c"], threshold: 1, within: 30 }],
      },
      actions: [{ type: "pause-automation", source: "selected", automation_id: "<automation>" }],
      actions_on_trigger: [{ type: "do-nothing" }],
      owner_resource: "prefect.deployment.<missing>",
    },
    saves: { owned: "id" },
  },
  { request: "POST /automations/", body: { ...AUTOMATION, name: null } },
  { request: "POST /automations/", body: { ...AUTOMATION, trigger: { ...TRIGGER, posture: "Sideways" } } },
  { request: "POST /automations/", body: { name: "x" } },
  { request: "GET /automations/<automation>" },
  { request: "GET /automations/<owned>" },
  { request: "PUT /automations/<automation>", body: { ...AUTOMATION, name: "renamed", tags: ["u"] } },
  { request: "PUT /automations/<automation>", body: { name: "x" } },
  { request: "PATCH /automations/<automation>", body: { enabled: false } },
  { request: "PATCH /automations/<automation>", body: { enabled: "maybe" } },
  { request: "GET /automations/<automation>" },
  { request: "POST /automations/filter", body: {}, isUnordered: true },
  { request: "POST /automations/filter", body: { automations: { name: { any_: ["renamed"] } } } },
  { request: "POST /automations/filter", body: { limit: 500 } },
  { request: "POST /automations/count", body: {} },
  { request: "POST /automations/count", body: { limit: "many", automations: 5 } },
  { request: "GET /automations/related-to/prefect.deployment.<missing>" },
  { request: "DELETE /automations/owned-by/prefect.deployment.<missing>" },
  { request: "GET /automations/<owned>" },
  { request: "DELETE /automations/<automation>" },
  ...missing("GET /automations/<missing>", "DELETE /automations/<missing>"),
  { request: "PUT /automations/<missing>", body: AUTOMATION },
  { request: "PATCH /automations/<missing>", body: { enabled: true } },
];
