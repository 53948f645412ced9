import { readFileSync } from "node:fs";
import { constants } from "node:os";

import type { ProcessEnd } from "./attempt.ts";

/**
 * The shell's part: runs the program and writes how it ended into the file $1, where a later worker finds it. The shell leads
 * the group and outlives the signals that the group gets; its child has them as they were. A shell says in words that its
 * child died by a signal, and only so can such an end be told from an exit status above 128.
 */
export const RECORD_STATUS =
  'trap : HUP INT QUIT TERM; exec 3>&2 2>"$1"; shift; (exec "$@" 2>&3 3>&-); status=$?; echo $status >&2; exit $status';

/** The status file of an attempt stands beside its output. */
export function statusFileOf(outputFile: string): string {
  return `${outputFile}.status`;
}

/** Undefined when nothing was left: the shell was killed together with its program, or still waits for it. */
export function readStatusFile(file: string): ProcessEnd | undefined {
  let text: string;
  try {
    text = readFileSync(file, "latin1");
  } catch {
    return undefined;
  }
  const [, words = "", digits] = /^(.*?)(\d{1,3})\n$/s.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const code = Number(digits);
  const signal = words === "" ? undefined : signalNamed(code - 128);
  return signal === undefined ? { kind: "exited", code } : { kind: "signaled", signal };
}

function signalNamed(number: number): NodeJS.Signals | undefined {
  const signals = Object.entries(constants.signals) as [NodeJS.Signals, number][];
  return signals.find(([, value]) => value === number)?.[0];
}
