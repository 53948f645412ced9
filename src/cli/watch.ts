import { WorkerError } from "../errors.ts";
import { exitCodeOf, listenForSignals } from "../lifecycle/shutdown.ts";
import { logText, stateText } from "./log-lines.ts";
import { followRun } from "./run-news.ts";

import type { FlowRun } from "../api/types.ts";
import type { WithJson } from "../api/manage/resource.ts";
import type { ApiCall } from "./api-command.ts";
import type { News } from "./run-news.ts";

/** What the help of a command that watches says about its end. */
export const WATCH_HELP = `
The exit status is 0 only for a run that ends COMPLETED, and 1 for any other end. Ctrl-C stops watching, not the run (exit 130).
`;

export interface WatchOptions {
  /** Called for each piece of news instead of printing it. */
  readonly onNews?: (news: News) => void;
  /** Gives up after so many seconds. */
  readonly timeoutSeconds?: number | undefined;
}

/**
 * Shows a run's states and log live until it ends, then what has become of it: with `--json` the run goes to standard output, and
 * the rest to standard error. Returns the exit status, see {@link WATCH_HELP}. Throws a WorkerError when the time is over.
 */
export async function watchRun(
  { io, session, output }: ApiCall<object>,
  run: FlowRun,
  { timeoutSeconds, onNews }: WatchOptions = {},
): Promise<number> {
  const stopping = new AbortController();
  let stoppedBy: NodeJS.Signals | undefined;
  const unlisten = listenForSignals(io.signals, {
    first(signal) {
      stoppedBy = signal;
      stopping.abort();
    },
    second: (signal) => io.exit(exitCodeOf(signal)),
    third: (code) => io.exit(code),
  });
  const timer =
    timeoutSeconds === undefined ? undefined : setTimeout(() => stopping.abort(), timeoutSeconds * 1000);
  const stream = output.isJson ? io.stderr : io.stdout;

  function print(news: News): void {
    const text =
      news.kind === "log"
        ? logText(news.line, run.name, output.paint)
        : stateText(news.state, run.name, output.paint);
    stream.write(`${text}\n`);
  }

  let ended: WithJson<FlowRun> | null;
  try {
    ended = await followRun({
      client: session.client,
      run,
      onNews: onNews ?? print,
      onOutage: (error) => output.note(`The server does not answer, watching goes on. ${error.message}`),
      signal: stopping.signal,
    });
  } finally {
    clearTimeout(timer);
    unlisten();
  }
  if (stoppedBy !== undefined) {
    output.note(
      `Stopped watching; the run goes on. \`lighterman flow-run watch ${run.id}\` watches it again, \`lighterman flow-run cancel ${run.id}\` ends it.`,
    );
    return exitCodeOf(stoppedBy);
  }
  if (ended === null) {
    throw new WorkerError(
      "TIMED_OUT",
      `Flow run '${run.name}' did not end within ${timeoutSeconds ?? 0} s; it goes on`,
      { hint: `Watch it again with \`lighterman flow-run watch ${run.id}\`.` },
    );
  }
  if (onNews === undefined && output.isJson) output.json(ended.json);
  return ended.state?.type === "COMPLETED" ? 0 : 1;
}
