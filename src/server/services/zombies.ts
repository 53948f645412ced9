import { isJsonObject } from "../../json/value.ts";
import { setFlowRunState } from "../runs/set-state.ts";
import { stateOf } from "../runs/state.ts";
import { objectColumn } from "../store/json-column.ts";
import { epochMsOf } from "../store/timestamp.ts";

import type { ServerContext } from "../context.ts";
import type { Reader, Transaction } from "../store/database.ts";
import type { ServerSettings } from "../settings.ts";
import type { Service } from "./service.ts";

/** How many heartbeats tell a run's rhythm. */
const RHYTHM = 6;
/** A tick that comes so much later than planned: the machine has slept, or this process was stopped. */
const MAX_DELAY_MS = 30_000;

interface Heartbeat {
  readonly occurred: string;
  readonly received: string;
}

interface Silence {
  readonly seconds: number;
  readonly intervalSeconds: number;
}

/**
 * Notices runs whose process has gone without a word: a RUNNING run that sends `prefect.flow-run.heartbeat` and then misses
 * `missedHeartbeats` of them in a row is CRASHED. Runs that have never sent one are left alone, as are those that are not RUNNING.
 *
 * This is a service and no automation of the server's own: every run has its own rhythm, which only its heartbeats tell, and all that
 * is needed stands in the store. What it remembers is since when it has been listening: after a start, and after the machine has
 * slept, every run has its whole time anew, as nobody could hear it meanwhile.
 */
export function createZombies(): Service {
  let listeningSinceMs = 0;
  let lastTickMs = -Infinity;

  return {
    name: "zombies",
    intervalSeconds: ({ settings }) => settings.zombies.loopSeconds,
    async tick(context) {
      const { database, clock, settings } = context;
      const { loopSeconds, missedHeartbeats } = settings.zombies;
      if (missedHeartbeats === 0) return;
      const nowMs = clock.now();
      const passedMs = nowMs - lastTickMs;
      if (passedMs < 0 || passedMs > loopSeconds * 1000 + MAX_DELAY_MS) listeningSinceMs = nowMs;
      lastTickMs = nowMs;
      const listen = (reader: Reader, id: string): Silence | undefined =>
        silenceOf(reader, settings, id, { nowMs, listeningSinceMs });
      const silent = database
        .all<{ id: string }>("SELECT id FROM flow_run WHERE state_type = 'RUNNING'")
        .filter(({ id }) => listen(database, id) !== undefined);
      if (silent.length === 0) return;
      await database.write((tx) => {
        for (const { id } of silent) {
          const run = tx.get("SELECT 1 FROM flow_run WHERE id = ? AND state_type = 'RUNNING'", id);
          const silence = run === undefined ? undefined : listen(tx, id);
          if (silence !== undefined) crash(context, tx, id, silence);
        }
      });
    },
  };
}

/** How long a run has been silent; undefined when that is not too long, or when it has sent no heartbeat since it was claimed. */
function silenceOf(
  reader: Reader,
  { zombies }: ServerSettings,
  flowRunId: string,
  { nowMs, listeningSinceMs }: { readonly nowMs: number; readonly listeningSinceMs: number },
): Silence | undefined {
  const heartbeats = reader.all<Heartbeat>(
    `SELECT occurred, received FROM event WHERE resource_id = ? AND event = 'prefect.flow-run.heartbeat'
       AND received >= coalesce((SELECT max(timestamp) FROM flow_run_state WHERE flow_run_id = ? AND type = 'PENDING'), '')
     ORDER BY occurred DESC LIMIT ${RHYTHM}`,
    `prefect.flow-run.${flowRunId}`,
    flowRunId,
  );
  if (heartbeats.length === 0) return undefined;
  const lastMs = Math.max(listeningSinceMs, ...heartbeats.map(({ received }) => epochMsOf(received)));
  const seconds = (nowMs - lastMs) / 1000;
  if (seconds <= zombies.minHeartbeatSeconds * zombies.missedHeartbeats) return undefined;
  const intervalSeconds = Math.max(
    rhythmOf(reader, flowRunId, heartbeats) ?? plannedSeconds(reader, flowRunId) ?? zombies.heartbeatSeconds,
    zombies.minHeartbeatSeconds,
  );
  return seconds > intervalSeconds * zombies.missedHeartbeats ? { seconds, intervalSeconds } : undefined;
}

/**
 * Seconds between two heartbeats, by the run's own clock: the middle one of the gaps since it is RUNNING, as it sends one at once
 * whenever it begins again, and as a gap may be one in which its process was stopped. Undefined before the second heartbeat.
 */
function rhythmOf(reader: Reader, flowRunId: string, heartbeats: readonly Heartbeat[]): number | undefined {
  const begun = reader.get<{ at: string | null }>(
    "SELECT state_timestamp AS at FROM flow_run WHERE id = ?",
    flowRunId,
  );
  const times = heartbeats
    .filter(({ received }) => received >= (begun?.at ?? ""))
    .map(({ occurred }) => epochMsOf(occurred))
    .toSorted((a, b) => a - b);
  const gaps = times.slice(1).map((time, at) => (time - (times[at] ?? time)) / 1000);
  return gaps.toSorted((a, b) => a - b)[Math.floor((gaps.length - 1) / 2)];
}

/** The rhythm that the run's environment asks for, where its job variables or its deployment's say so. */
function plannedSeconds(reader: Reader, flowRunId: string): number | undefined {
  const rows = reader.get<{ run: string | null; deployment: string | null }>(
    "SELECT r.job_variables AS run, d.job_variables AS deployment FROM flow_run r LEFT JOIN deployment d ON d.id = r.deployment_id WHERE r.id = ?",
    flowRunId,
  );
  for (const column of [rows?.run ?? null, rows?.deployment ?? null]) {
    const { env } = objectColumn(column);
    const value = isJsonObject(env) ? env["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] : undefined;
    const seconds = typeof value === "string" || typeof value === "number" ? Number(value) : 0;
    if (seconds > 0) return seconds;
  }
  return undefined;
}

function crash(
  context: ServerContext,
  tx: Transaction,
  id: string,
  { seconds, intervalSeconds }: Silence,
): void {
  const rounded = { seconds: Math.round(seconds), every: Math.round(intervalSeconds) };
  const message = `No heartbeat for ${rounded.seconds} s, where one was due every ${rounded.every} s: the process of this flow run is gone or stuck, or cannot reach the server.`;
  context.logger.warn({ flowRunId: id, ...rounded }, "A flow run has fallen silent; it is taken for crashed");
  setFlowRunState(context, tx, id, stateOf("CRASHED", { message }));
}
