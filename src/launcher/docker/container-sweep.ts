import { inspectContainer, listContainers, removeContainer } from "../../docker/containers.ts";
import { ATTEMPT_LABEL } from "./container-labels.ts";

import type { DockerEngine } from "../../docker/engine.ts";
import type { SweepOptions } from "../types.ts";

/** What has just ended may be the last word of a run that another worker has in hand. */
const MIN_AGE_MS = 10 * 60_000;
const ENDED = new Set(["exited", "dead", "created"]);

/** Removes containers of flow runs that a worker of this kind has made and that have ended, by age and number; returns how many. */
export async function sweepContainers(
  engine: DockerEngine,
  { now, keepMs, keepCount, isInHand, signal }: SweepOptions,
): Promise<number> {
  const ended = (await listContainers(engine, [ATTEMPT_LABEL], signal))
    .filter(({ State: state }) => ENDED.has(state))
    .filter(({ Labels: labels }) => !isInHand(labels?.["io.prefect.flow-run-id"] ?? ""))
    .toSorted((a, b) => b.Created - a.Created);
  let removed = 0;
  for (const [at, { Id: id, Created: created }] of ended.entries()) {
    const leastMs = at >= keepCount ? MIN_AGE_MS : Math.max(MIN_AGE_MS, keepMs);
    if (now - created * 1000 < leastMs) continue; // nor can it have ended before
    const found = await inspectContainer(engine, id, signal);
    const endedAt = Date.parse(found?.State.FinishedAt ?? "");
    // One that was never started has the year 1.
    if (found === null || (endedAt > 0 && now - endedAt < leastMs)) continue;
    await removeContainer(engine, id, signal === undefined ? {} : { signal });
    removed += 1;
  }
  return removed;
}
