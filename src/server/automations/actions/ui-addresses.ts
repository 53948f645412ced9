import type { ServerSettings } from "../../settings.ts";

/** Where Prefect's UI shows an object, by its kind (prefect/utilities/urls.py); the page of this server knows these addresses. */
const PATHS: Readonly<Record<string, string>> = {
  flow: "flows/flow",
  "flow-run": "runs/flow-run",
  "task-run": "runs/task-run",
  "block-document": "blocks/block",
  "work-pool": "work-pools/work-pool",
  "work-queue": "work-queues/work-queue",
  "concurrency-limit": "concurrency-limits/concurrency-limit",
  deployment: "deployments/deployment",
  automation: "automations/automation",
};

/** The addresses of objects on this server's page, for templates (`ui_url`, `ui_resource_events_url`). */
export class UiAddresses {
  readonly #base: string;

  constructor({ host, port }: Pick<ServerSettings, "host" | "port">) {
    const reachable = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
    this.#base = `http://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
  }

  /** Null for a kind that has no page of its own. */
  url(kind: string, id: string): string | null {
    const path = Object.hasOwn(PATHS, kind) ? PATHS[kind] : undefined;
    return path === undefined ? null : `${this.#base}/${path}/${id}`;
  }

  eventUrl(occurred: string, id: string): string {
    return `${this.#base}/events/event/${occurred.slice(0, 10)}/${id}`;
  }

  resourceEventsUrl(resourceId: string): string {
    return `${this.#base}/events?resource=${resourceId}`;
  }
}
