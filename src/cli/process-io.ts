import { homedir } from "node:os";

import { openLogStream } from "../log/log-stream.ts";

import type { Io } from "./io.ts";

/** The real world. */
export function processIo(): Io {
  const log = openLogStream(2);
  process.on("exit", () => log.flushSync());
  return {
    log,
    env: process.env,
    cwd: process.cwd(),
    homeDir: homedir(),
    stdout: process.stdout,
    stderr: process.stderr,
    signals: process,
    exit: (code) => process.exit(code),
  };
}
