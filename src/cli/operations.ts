import { startHttpServer } from "../ops/http-server.ts";
import { workerPages } from "../ops/pages.ts";
import { statusOf, statusText } from "../ops/status.ts";
import { redactValue } from "../log/redact-value.ts";
import { version } from "./version.ts";

import type { Clock } from "../lifecycle/clock.ts";
import type { Rhythm } from "../ops/vital-signs.ts";
import type { Status } from "../ops/status.ts";
import type { Worker } from "../worker/worker.ts";
import type { Io } from "./io.ts";
import type { Session } from "./session.ts";

/** What lets others watch a worker. */
export interface Operations {
  close(): Promise<void>;
}

/** Opens what the settings and the environment ask for: the web server, and SIGUSR2 in any case. */
export async function openOperations(
  worker: Pick<Worker, "snapshot">,
  { config, client, logger, redactor }: Session,
  { signals }: Io,
  clock: Clock,
): Promise<Operations> {
  const startedAt = clock.now();
  const facts = { version, pid: process.pid, apiUrl: client.apiUrl };
  const rhythm = (): Rhythm => ({ now: clock.now(), startedAt, pollIntervalMs: config.worker.queryMs });
  const snapshot = () => worker.snapshot();
  const status = (): Status => redactValue(statusOf(snapshot(), rhythm(), facts), redactor);

  const http = config.worker.withHealthcheck
    ? await startHttpServer({
        ...config.worker.webserver,
        routes: workerPages({ snapshot, rhythm, status }),
      })
    : null;
  if (http !== null) {
    const { host } = config.worker.webserver;
    logger.info(
      { host, port: http.port },
      `Health and status are served on ${host}:${http.port} (/health, /livez, /readyz, /status)`,
    );
  }
  function printStatus(): void {
    const now = status();
    logger.info({ status: now }, statusText(now));
  }
  signals.on("SIGUSR2", printStatus);

  return {
    async close() {
      signals.off("SIGUSR2", printStatus);
      await http?.close();
    },
  };
}
