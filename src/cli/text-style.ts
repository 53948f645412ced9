import { styleText } from "node:util";

import type { Io } from "./io.ts";

export type Style = Extract<Parameters<typeof styleText>[0], string>;

/** Puts a colour around a text, or leaves it as it is; `reset` is none. */
export type Paint = (style: Style, text: string) => string;

/** Colours for standard output: on a terminal that has some, unless NO_COLOR says otherwise; FORCE_COLOR has the last word. */
export function painterOf({ env, stdout }: Pick<Io, "env" | "stdout">): Paint {
  const forced = env["FORCE_COLOR"];
  const isWanted =
    forced !== undefined && forced !== ""
      ? forced !== "0" && forced !== "false"
      : stdout.isTTY === true && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
  return isWanted
    ? (style, text) => (style === "reset" ? text : styleText(style, text, { validateStream: false }))
    : (_style, text) => text;
}

/** Prefect's colours of states (prefect/cli/flow_runs_watching.py). */
const STATE_STYLES: Readonly<Record<string, Style>> = {
  SCHEDULED: "yellow",
  PENDING: "gray",
  RUNNING: "blue",
  COMPLETED: "green",
  FAILED: "red",
  CRASHED: "redBright",
  CANCELLING: "gray",
  CANCELLED: "gray",
  PAUSED: "gray",
};

export function stateStyle(type: string): Style {
  return STATE_STYLES[type] ?? "magenta";
}
