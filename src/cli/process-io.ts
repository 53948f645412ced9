import { homedir } from "node:os";

import type { Io } from "./io.ts";

/** The real world. */
export function processIo(): Io {
  return {
    env: process.env,
    cwd: process.cwd(),
    homeDir: homedir(),
    stdout: process.stdout,
    stderr: process.stderr,
    signals: process,
    exit: (code) => process.exit(code),
  };
}
