import { API_VERSION } from "../http/app.ts";
import { requiredBody, uuidOf } from "../http/body.ts";
import { ApiError, invalidRequest } from "../http/errors.ts";
import { jsonValue } from "../http/reply.ts";
import { findResultStorage, setResultStorage } from "../blocks/result-storage.ts";

import type { FastifyInstance } from "fastify";

import type { ServerContext } from "../context.ts";
import type { Reply } from "../http/reply.ts";
import type { ServerSettings } from "../settings.ts";

/** The version of Prefect's server whose answers these are; the engine refuses another major version (protocol §9.3). */
const PREFECT_VERSION = "3.8.8";

/** What clients ask of any server: version, health, settings, storage defaults, CSRF (off, as by default in Prefect). */
export function addAdminRoutes(app: FastifyInstance, { database, settings }: ServerContext): void {
  app.get("/health", () => jsonValue(true));
  app.get("/ready", () => ({ message: "OK" }));
  app.get("/hello", () => jsonValue("👋"));
  app.get("/version", () => jsonValue(API_VERSION));
  app.get("/admin/version", () => jsonValue(PREFECT_VERSION));
  app.get("/admin/settings", () => settingsReply(settings));

  app.get("/admin/storage", () => ({ default_result_storage_block_id: findResultStorage(database) }));

  app.put("/admin/storage", async ({ body }) => {
    const id = uuidOf(requiredBody(body), "default_result_storage_block_id");
    if (id === undefined) throw invalidRequest(["body", "default_result_storage_block_id"], "Field required");
    await database.write((tx) => setResultStorage(tx, id));
    return { default_result_storage_block_id: id };
  });

  app.delete("/admin/storage", async (_request, reply) => {
    await database.write((tx) => setResultStorage(tx, null));
    return reply.status(204).send();
  });

  app.get<{ Querystring: { client?: string } }>("/csrf-token", ({ query }) => {
    if (query.client === undefined) throw invalidRequest(["query", "client"], "Field required");
    throw new ApiError(422, "CSRF protection is disabled.");
  });
}

/** The settings that there are here, in the places that they have in Prefect's; a secret is masked. */
function settingsReply(settings: ServerSettings): Reply {
  const { scheduler, lateRuns, foreman } = settings;
  return {
    server: {
      api: {
        auth_string: settings.authString === undefined ? null : "**********",
        host: settings.host,
        csrf_protection_enabled: false,
        default_limit: 200,
      },
      services: {
        scheduler: {
          loop_seconds: scheduler.loopSeconds,
          min_runs: scheduler.minRuns,
          max_runs: scheduler.maxRuns,
          min_scheduled_time: isoDuration(scheduler.minScheduledTimeSeconds),
          max_scheduled_time: isoDuration(scheduler.maxScheduledTimeSeconds),
        },
        late_runs: {
          loop_seconds: lateRuns.loopSeconds,
          after_seconds: isoDuration(lateRuns.afterSeconds),
        },
        foreman: {
          loop_seconds: foreman.loopSeconds,
          inactivity_heartbeat_multiple: foreman.inactivityHeartbeatMultiple,
          fallback_heartbeat_interval_seconds: foreman.fallbackHeartbeatIntervalSeconds,
          deployment_last_polled_timeout_seconds: foreman.deploymentLastPolledTimeoutSeconds,
          work_queue_last_polled_timeout_seconds: foreman.workQueueLastPolledTimeoutSeconds,
        },
        pause_expirations: { loop_seconds: settings.pauseExpirations.loopSeconds },
        cancellation_cleanup: {
          loop_seconds: settings.cancellationCleanup.loopSeconds,
          cancelling_timeout_seconds: settings.cancellationCleanup.cancellingTimeoutSeconds,
        },
      },
      deployments: { concurrency_slot_wait_seconds: settings.deploymentConcurrencySlotWaitSeconds },
      concurrency: { initial_deployment_lease_duration: settings.initialDeploymentLeaseDurationSeconds },
      events: { retention_period: isoDuration(settings.retention.eventsSeconds) },
    },
  };
}

/** As pydantic writes a duration: `P7D`, `PT1H`, `PT15S`. */
function isoDuration(seconds: number): string {
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor((seconds % 86_400) / 3600),
    Math.floor((seconds % 3600) / 60),
  ];
  const time = [
    hours > 0 ? `${hours}H` : "",
    minutes > 0 ? `${minutes}M` : "",
    seconds % 60 > 0 ? `${seconds % 60}S` : "",
  ].join("");
  if (days === 0 && time === "") return "PT0S";
  return `P${days > 0 ? `${days}D` : ""}${time === "" ? "" : `T${time}`}`;
}
