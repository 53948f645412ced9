import { constants } from "node:os";

export interface SignalSource {
  on(event: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  off(event: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
}

/** What each press of SIGTERM or SIGINT does. The handlers only flip switches; they never wait. */
export interface Presses {
  /** Take nothing new, let what runs come to an end. */
  readonly first: (signal: NodeJS.Signals) => void;
  /** End everything now, and report it. */
  readonly second: (signal: NodeJS.Signals) => void;
  /** Leave at once; `exitCode` is 128 plus the signal's number. */
  readonly third: (exitCode: number) => void;
}

const SIGNALS: readonly NodeJS.Signals[] = ["SIGTERM", "SIGINT"];

/** Listens until the returned function is called. Also works where SIGINT was inherited as ignored (`worker start &`). */
export function listenForSignals(source: SignalSource, presses: Presses): () => void {
  let count = 0;
  function onSignal(signal: NodeJS.Signals): void {
    count += 1;
    if (count === 1) presses.first(signal);
    else if (count === 2) presses.second(signal);
    else presses.third(exitCodeOf(signal));
  }
  for (const signal of SIGNALS) source.on(signal, onSignal);
  return () => {
    for (const signal of SIGNALS) source.off(signal, onSignal);
  };
}

/** The exit status of a process that a signal ended, as shells count. */
export function exitCodeOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}
