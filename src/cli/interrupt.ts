import { exitCodeOf, listenForSignals } from "../lifecycle/shutdown.ts";

import type { CommandContext } from "./api-command.ts";

/**
 * Runs what the first Ctrl-C breaks off by the signal it is handed; the command then ends with the status of that signal. The second one
 * leaves at once.
 */
export async function untilInterrupted(
  { io, finish }: CommandContext,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stopping = new AbortController();
  const unlisten = listenForSignals(io.signals, {
    first: (signal) => {
      finish(exitCodeOf(signal));
      stopping.abort(new DOMException(`Interrupted by ${signal}`, "AbortError"));
    },
    second: (signal) => io.exit(exitCodeOf(signal)),
    third: (code) => io.exit(code),
  });
  try {
    await work(stopping.signal);
  } catch (error) {
    if (!stopping.signal.aborted) throw error;
  } finally {
    unlisten();
  }
}
