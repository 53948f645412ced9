import { readFileSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs";

import { parseStat } from "../../lifecycle/proc.ts";

import type { LastingIdentity } from "../../lifecycle/proc.ts";

/*
 * An attempt begins by creating its permit, a file that only one can create. A later worker that does not know whether the
 * attempt has begun creates it in its place: either it finds that it has, or it never will. Without this a process that is on
 * its way, forked but not visible as ours, could begin long after a look at /proc has found nothing.
 */

/** The shell's part: $1 is the permit, $2 the boot. Leaves in it who has begun; ends the shell when it may not. */
export const TAKE_PERMIT =
  'set -C; read -r LIGHTERMAN__STAT 2>/dev/null </proc/$$/stat; echo "$2 ${LIGHTERMAN__STAT:-$$}" >"$1" || exit 126; ' +
  "set +C; unset LIGHTERMAN__STAT; shift 2; ";

/** The permit of an attempt stands beside its output. */
export function permitFileOf(spec: { readonly outputFile: string; readonly attempt: string }): string {
  return `${spec.outputFile}.${spec.attempt.slice(0, 8)}.begun`;
}

/** Takes it for a process that can't do so itself; false when it is withdrawn. */
export function takePermit(file: string): boolean {
  try {
    writeFileSync(file, "", { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if (isTaken(error)) return false;
    throw error;
  }
}

/** True when the attempt has not begun, and never will; false when it has. Throws when neither can be made certain. */
export function withdrawPermit(file: string): boolean {
  try {
    symlinkSync("withdrawn", file); // a link is there with all that it says, or not at all
    return true;
  } catch (error) {
    if (isTaken(error)) return isWithdrawn(file);
    throw error;
  }
}

export function isWithdrawn(file: string): boolean {
  try {
    return readlinkSync(file) === "withdrawn";
  } catch {
    return false; // an attempt has begun, or nobody has asked
  }
}

/** Who has begun; undefined while that is not written yet, and for an attempt whose permit was taken for it. */
export function leaderIn(file: string): LastingIdentity | undefined {
  const [, bootId = "", pid, stat = ""] = /^(\S*) (\d+)(.*)\n$/s.exec(readFileSync(file, "latin1")) ?? [];
  if (pid === undefined) return undefined;
  const { startTicks } = parseStat(Number(pid), stat);
  return { pid: Number(pid), startTicks: Number.isNaN(startTicks) ? 0 : startTicks, bootId };
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EEXIST";
}
