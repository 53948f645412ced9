import { OutputTail } from "./attempt.ts";
import { EXECUTE_COMMAND, hasBegunFlow } from "./container.ts";
import { pullsByItself } from "./job.ts";
import { startAttempt } from "./launch.ts";

import type { Attempt } from "./attempt.ts";
import type { PreparedRun } from "./prepare.ts";
import type { RunRoom } from "./room.ts";

/** Starts a run in a container that fetches its code by itself: the template's command, or Prefect's own runner. */
export async function launchContainer(run: PreparedRun, room: RunRoom): Promise<Attempt> {
  const tail = new OutputTail();
  const { job } = run;
  await run.announced;
  const isRunner = job.command === null || pullsByItself(job);
  return await startAttempt(run, isRunner ? "engine" : "custom", tail, room, {
    command: job.command ?? EXECUTE_COMMAND,
    cwd: "/",
    env: run.env,
    ...(isRunner ? { cancelsItself: () => hasBegunFlow(run.flowRun.id, room) } : {}),
    onLine: (line) => {
      const text = room.redactor.redact(line);
      tail.add(text);
      if (job.streamOutput) room.onOutput(text);
    },
  });
}
