// For `node --import`: the worker is killed while a flow run's process is on its way. The process goes on only once the
// file LATE_START exists; until then it has nothing of its run about it, as between fork and exec.
import childProcess from "node:child_process";
import { syncBuiltinESMExports } from "node:module";

const { spawn } = childProcess;
const HELD = 'until [ -e "$1" ]; do sleep 0.02; done; shift; exec env -i "$@"';

childProcess.spawn = (program, args, options) => {
  const { LIGHTERMAN__ATTEMPT: attempt, PATH, ...env } = options?.env ?? {};
  if (attempt === undefined) return spawn(program, args, options);
  const variables = Object.entries({ ...env, PATH, LIGHTERMAN__ATTEMPT: attempt }).map((pair) =>
    pair.join("="),
  );
  spawn("/bin/sh", ["-c", HELD, "late", process.env.LATE_START, ...variables, program, ...args], {
    ...options,
    env: { PATH },
  });
  process.kill(process.pid, "SIGKILL");
};
syncBuiltinESMExports();
