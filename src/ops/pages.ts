import { jsonAnswer } from "./http-server.ts";
import { statusPage } from "./status-page.ts";
import { isPolling, livenessComplaints, readinessComplaints } from "./vital-signs.ts";

import type { WorkerSnapshot } from "../worker/snapshot.ts";
import type { Answer, HttpServerOptions } from "./http-server.ts";
import type { Status } from "./status.ts";
import type { Complaints, Rhythm } from "./vital-signs.ts";

/** What the pages are made of; each is asked for at every request. */
export interface PageSources {
  readonly snapshot: () => WorkerSnapshot;
  readonly rhythm: () => Rhythm;
  /** Secrets masked. */
  readonly status: () => Status;
  /** Prometheus' text format. */
  readonly metrics: () => string;
}

const OK = { message: "OK" };
// The text of Prefect's worker (protocol §1.6).
const STUCK = { message: "Worker may be unresponsive at this time" };

/** Everything that a worker shows over HTTP. */
export function workerPages(sources: PageSources): HttpServerOptions["routes"] {
  return {
    "/health": () =>
      isPolling(sources.snapshot(), sources.rhythm()) ? jsonAnswer(200, OK) : jsonAnswer(503, STUCK),
    "/livez": () => probe(livenessComplaints(sources.snapshot())),
    "/readyz": () => probe(readinessComplaints(sources.snapshot(), sources.rhythm())),
    "/metrics": () => ({
      status: 200,
      contentType: "text/plain; version=0.0.4; charset=utf-8",
      body: sources.metrics(),
    }),
    "/status": ({ headers }) => {
      const status = sources.status();
      return headers.accept?.includes("text/html") === true
        ? { status: 200, contentType: "text/html; charset=utf-8", body: statusPage(status) }
        : jsonAnswer(200, status);
    },
  };
}

function probe(complaints: Complaints): Answer {
  return complaints.length === 0 ? jsonAnswer(200, OK) : jsonAnswer(503, { message: complaints.join(". ") });
}
