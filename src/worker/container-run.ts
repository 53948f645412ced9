import { EXECUTE_COMMAND, hasBegunFlow } from "./container.ts";
import { runsEngine } from "./job.ts";
import { startAttempt } from "./launch.ts";

import type { Attempt } from "./attempt.ts";
import type { PreparedRun } from "./prepare.ts";
import type { RunRoom } from "./room.ts";

/** Starts a run in a container that fetches its code by itself: the template's command, or Prefect's own runner. */
export async function launchContainer(run: PreparedRun, room: RunRoom): Promise<Attempt> {
  const { job } = run;
  await run.announced;
  const isRunner = runsEngine(job);
  return await startAttempt(run, isRunner ? "engine" : "custom", room, {
    command: job.command ?? EXECUTE_COMMAND,
    cwd: "/",
    env: run.env,
    ...(isRunner ? { cancelsItself: () => hasBegunFlow(run.flowRun.id, room) } : {}),
  });
}
