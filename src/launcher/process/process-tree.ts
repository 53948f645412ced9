import { kill } from "node:process";

import { hasVariable, isRunning, listProcesses } from "../../lifecycle/proc.ts";

import type { ProcessIdentity, ProcessStat } from "../../lifecycle/proc.ts";

/**
 * Everything that one attempt has started: the leader's session and group, its descendants, those of them that made
 * a session of their own, and orphans that still carry the attempt's variable in their environment. Only processes that are
 * known to be ours by one of these are ever signalled; a pid that was given to somebody else in the meantime is not.
 */
export class ProcessTree {
  readonly #leader: ProcessIdentity;
  readonly #marker: string;
  /** Start ticks by pid, of everything ever seen. */
  readonly #known = new Map<number, number>();

  /** @param marker `NAME=value`, as it stands in the environment of this attempt's processes only. */
  constructor(leader: ProcessIdentity, marker: string) {
    this.#leader = leader;
    this.#marker = marker;
    this.#known.set(leader.pid, leader.startTicks);
  }

  /** Members that run now. To be called while parents still live: orphans are only found if they were seen, or by marker. */
  members(): readonly ProcessStat[] {
    const all = listProcesses();
    const ofLeader = all.find((stat) => stat.pid === this.#leader.pid);
    // The number of a group or session is not given away while one of its members lives, so it is ours
    // unless its leader is somebody else.
    const isGroupOurs = ofLeader === undefined || ofLeader.startTicks === this.#leader.startTicks;
    const members = new Map<number, ProcessStat>();
    const candidates = all.filter((stat) => stat.startTicks >= this.#leader.startTicks);
    for (const stat of candidates) {
      const isKnown = this.#known.get(stat.pid) === stat.startTicks;
      const isInGroup = stat.group === this.#leader.pid || stat.session === this.#leader.pid;
      if (isKnown || (isGroupOurs && isInGroup) || hasVariable(stat.pid, this.#marker))
        members.set(stat.pid, stat);
    }
    for (let size = -1; size !== members.size;) {
      size = members.size;
      for (const stat of candidates) if (members.has(stat.parentPid)) members.set(stat.pid, stat);
    }
    for (const stat of members.values()) this.#known.set(stat.pid, stat.startTicks);
    return [...members.values()].filter(isRunning);
  }

  /**
   * Signals the whole group at once, so that none can slip away by forking, and nothing else. `isOwnChild`: the leader has
   * not been reaped, so its number is ours also where there is no /proc to show it.
   */
  signalGroup(signal: NodeJS.Signals, members: readonly ProcessStat[], isOwnChild = false): void {
    const isBlind = isOwnChild && this.#leader.startTicks === 0;
    if (isBlind || members.some((stat) => stat.group === this.#leader.pid)) send(-this.#leader.pid, signal);
  }

  /** Signals the group and every member outside of it. */
  signalAll(signal: NodeJS.Signals, members: readonly ProcessStat[], isOwnChild = false): void {
    this.signalGroup(signal, members, isOwnChild);
    for (const stat of members) if (stat.group !== this.#leader.pid) send(stat.pid, signal);
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    kill(pid, signal);
  } catch {
    // It has just ended, or has become another user's.
  }
}
