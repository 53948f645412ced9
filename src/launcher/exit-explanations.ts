import { constants } from "node:os";

import type { LaunchResult } from "./types.ts";

export interface ExitExplanation {
  /** As Python says it: a process that died by signal N has -N. Null when nobody saw the end. */
  readonly code: number | null;
  readonly explanation: string;
  /** `info` for ends that somebody most likely wanted. */
  readonly level: "info" | "error";
  /** What the reader can do. */
  readonly hint: string;
}

type Meaning = Omit<ExitExplanation, "code">;

const MEANINGS: ReadonlyMap<number, Meaning> = new Map([
  [
    0,
    { level: "info", explanation: "The process ended without an error.", hint: "Nothing needs to be done." },
  ],
  [
    1,
    {
      level: "error",
      explanation: "The process ended with a general error.",
      hint: "Look for an exception in the flow run's logs, or in the process's output.",
    },
  ],
  [
    125,
    {
      level: "error",
      explanation: "The container could not be run.",
      hint: "Check the image, its entrypoint, and the container engine.",
    },
  ],
  [
    126,
    {
      level: "error",
      explanation: "The command was found but cannot be executed.",
      hint: "Make the program executable, and check that it was built for this machine.",
    },
  ],
  [
    127,
    {
      level: "error",
      explanation: "The command was not found.",
      hint: "Install the program where the flow runs, or correct the command or PATH.",
    },
  ],
  [
    137,
    {
      level: "error",
      explanation: "The process was killed (SIGKILL), most likely for want of memory.",
      hint: "Give the flow run more memory, or make it need less.",
    },
  ],
  [
    143,
    {
      level: "info",
      explanation: "The process was asked to end (SIGTERM) through its container.",
      hint: "Nothing needs to be done after a cancellation; else look for what stopped the container.",
    },
  ],
  [
    247,
    {
      level: "error",
      explanation: "The process was ended because it used too much memory.",
      hint: "Give the flow run more memory, or find out what needs so much of it.",
    },
  ],
  [
    0xc000013a,
    {
      level: "info",
      explanation: "The process was interrupted from its console (Ctrl-C or Ctrl-Break).",
      hint: "Nothing needs to be done if that was wanted.",
    },
  ],
  [
    -9,
    {
      level: "info",
      explanation: "The process was killed (SIGKILL): usually by the system for want of memory, or by hand.",
      hint: "Check whether the flow run needed more memory than there is. Nothing needs to be done after a cancellation.",
    },
  ],
  [
    -15,
    {
      level: "info",
      explanation: "The process was asked to end (SIGTERM): by a shutdown or a cancellation.",
      hint: "Nothing needs to be done after a cancellation; else look for what stopped the process.",
    },
  ],
]);

const UNEXPECTED: Meaning = {
  level: "error",
  explanation: "The process ended with an unexpected status.",
  hint: "Look at the flow run's logs and at the process's output.",
};

const OUT_OF_MEMORY: Meaning = {
  level: "error",
  explanation: "The process was killed by the system because memory ran out.",
  hint: "Give the flow run (or the worker's container) more memory, or run fewer flow runs at a time.",
};

const FORCED: Meaning = {
  level: "info",
  explanation: "The process did not end in time when asked to, and was killed by the worker.",
  hint: "Let the flow end on SIGTERM, or allow it a longer grace period.",
};

const REMOVED: Meaning = {
  level: "error",
  explanation: "Its container was removed while it ran.",
  hint: "Look for what removed it (`docker rm`, `docker container prune`, a clean-up job). Cancel a flow run in Prefect instead.",
};

const KILLED: Meaning = {
  level: "error",
  explanation: "The container was killed (SIGKILL), not for want of memory.",
  hint: "Look for what killed it (`docker kill`, an engine that was stopped). Nothing needs to be done after a cancellation.",
};

const GONE: Meaning = {
  level: "error",
  explanation: "The process ended while no worker watched it; its status is not known.",
  hint: "Look at the flow run's logs and at the process's output.",
};

/** Says what an end means (protocol §7.6), for the state's message and the log. */
export function explainExit(result: LaunchResult): ExitExplanation {
  if (result.kind === "gone" || result.kind === "withdrawn" || result.kind === "detached")
    return { code: null, ...GONE };
  const code = result.kind === "exited" ? result.code : -constants.signals[result.signal];
  if (result.oomKilled === true) return { code, ...OUT_OF_MEMORY };
  if (result.forced === true) return { code, ...FORCED };
  if (result.kind === "exited" && result.removed === true) return { code, ...REMOVED };
  if (code === 137 && result.oomKilled === false) return { code, ...KILLED };
  return {
    code,
    ...(MEANINGS.get(code) ?? (result.kind === "signaled" ? bySignal(result.signal) : UNEXPECTED)),
  };
}

function bySignal(signal: NodeJS.Signals): Meaning {
  return {
    level: "error",
    explanation: `The process died by signal ${signal}.`,
    hint:
      signal === "SIGSEGV" || signal === "SIGABRT" || signal === "SIGBUS" || signal === "SIGILL"
        ? "A native library crashed; set PYTHONFAULTHANDLER=1 to see where."
        : UNEXPECTED.hint,
  };
}
