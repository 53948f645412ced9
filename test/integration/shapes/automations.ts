import type { Call } from "./call.ts";

export const AUTOMATIONS: readonly Call[] = [
  { request: "POST /automations/filter", body: {} },
  { request: "POST /automations/count", body: {} },
  { request: "GET /automations/related-to/prefect.deployment.<missing>" },
  { request: "DELETE /automations/owned-by/prefect.deployment.<missing>" },
];
