import { homedir } from "node:os";

import { openLogStream } from "../log/log-stream.ts";

import type { Io } from "./io.ts";

/** The real world. */
export function processIo(): Io {
  // The copy goes to the flow runs, the rest is for ourselves.
  const env = { ...process.env };
  process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] = "true";
  const log = openLogStream(2);
  const output = openLogStream(1);
  process.on("exit", () => {
    log.flushSync();
    output.flushSync();
  });
  return {
    log,
    output,
    env,
    cwd: process.cwd(),
    homeDir: homedir(),
    stdin: () => process.stdin,
    terminal: () =>
      process.stdin.isTTY && process.stderr.isTTY
        ? { input: process.stdin, output: process.stderr }
        : undefined,
    stdout: process.stdout,
    stderr: process.stderr,
    signals: process,
    exit: (code) => process.exit(code),
  };
}
