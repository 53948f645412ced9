import { localTime } from "./times.ts";
import { stateStyle } from "./text-style.ts";

import type { LogLine } from "../api/manage/flow-runs.ts";
import type { State } from "../api/types.ts";
import type { Paint, Style } from "./text-style.ts";

const LEVELS: readonly (readonly [level: number, name: string, style: Style])[] = [
  [50, "CRITICAL", "redBright"],
  [40, "ERROR", "red"],
  [30, "WARNING", "yellow"],
  [20, "INFO", "reset"],
  [0, "DEBUG", "gray"],
];

/** A log line as `prefect flow-run logs` prints it, in this machine's time: `2026-… | INFO    | Flow run 'name' - message`. */
export function logText({ timestamp, level, message }: LogLine, runName: string, paint: Paint): string {
  const [, name, style] = LEVELS.find(([least]) => level >= least) ?? [0, String(level), "reset" as const];
  return `${localTime(timestamp)} | ${paint(style, name.padEnd(7))} | Flow run '${runName}' - ${safe(message)}`;
}

/** A state that a run came into, in the same form. */
export function stateText({ timestamp, type, name, message }: State, runName: string, paint: Paint): string {
  const time = localTime(timestamp ?? new Date());
  const reason = message === undefined || message === null || message === "" ? "" : `: ${safe(message)}`;
  return `${time} | ${paint(stateStyle(type), "●".padEnd(7))} | Flow run '${runName}' is ${paint(stateStyle(type), name)}${reason}`;
}

/** Without what would drive the terminal; colours, tabs and ends of lines stay. */
export function safe(text: string): string {
  return text.replaceAll(/\p{Cc}(?:\[[\d;]*m)?/gu, (found) => {
    const isKept = found[0] === "\n" || found[0] === "\t" || (found[0] === "\u001b" && found.length > 1);
    return isKept ? found : found.slice(1);
  });
}
