import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { isStillAlive, ownIdentity } from "../lifecycle/proc.ts";

import type { StateProposal } from "../api/types.ts";
import type { LastingIdentity } from "../lifecycle/proc.ts";

/**
 * What is known on disk about one claimed flow run.
 *
 * `claimed` is written before the claim is proposed, `launched` right after the child was started, `reporting` once its end
 * is known but the final state may not have reached the API. The entry is removed when nothing is left to do. A worker that
 * starts settles every entry whose owner is dead (see recovery.ts).
 */
export interface JournalEntry {
  readonly flowRunId: string;
  readonly apiUrl: string;
  readonly workPool: string;
  readonly phase: "claimed" | "launched" | "reporting";
  /** Marks all processes of this claim. */
  readonly attempt: string;
  /** Mark the states that this worker proposes before the launch: the server keeps them in the states' details. */
  readonly transitionIds: TransitionIds;
  /** The `infrastructure_pid` that the run had before this claim, of an earlier attempt. */
  readonly pidBefore: string | null;
  /** Removed with the run when it is ours (a fresh temporary directory). */
  readonly workspace?: string;
  readonly outputFile?: string;
  /** Of the launcher: finds the attempt again. */
  readonly handle?: Readonly<Record<string, string | number>>;
  readonly isCommandRun?: boolean;
  /** A state that could not be delivered yet, and the id of the state that it shall replace. */
  readonly report?: { readonly proposal: StateProposal; readonly force: boolean; readonly judged?: string };
}

export interface TransitionIds {
  readonly claim: string;
  readonly submitting: string;
  readonly running: string;
}

export type JournalChange = Partial<Omit<JournalEntry, "flowRunId">>;

/*
 * RUN.PID-START-BOOT.NONCE.json: the owner stands in the name, so that a rename takes an entry over at once, and workers
 * that claim the same run never write the same file.
 */
const ENTRY_FILE = /^([^.]+)\.(\d+)-(\d+)-([^.]*)\.([^.]+)\.json(\.tmp)?$/;

/** One small file per claimed run below `directory`; several workers of a machine may share it. */
export class Journal {
  readonly #directory: string;
  readonly #owner = ownIdentity();

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  /**
   * Writes the entry before the claim. Synchronous on purpose: nothing may happen between the write and the claim. An older
   * entry of ours, which the API would not let us close, is removed: the run is SCHEDULED again.
   */
  open(entry: Omit<JournalEntry, "phase" | "attempt" | "transitionIds">): JournalRecord {
    const transitionIds = { claim: randomUUID(), submitting: randomUUID(), running: randomUUID() };
    for (const file of readdirSync(this.#directory)) {
      if (file.startsWith(this.#prefix(entry.flowRunId)))
        rmSync(join(this.#directory, file), { force: true });
    }
    const attempt = randomUUID();
    const path = this.#path(entry.flowRunId, attempt.slice(0, 8));
    const record = new JournalRecord(path, { ...entry, phase: "claimed", attempt, transitionIds });
    record.write();
    return record;
  }

  /** Takes over the entries of dead workers for this API and pool. Each is taken by one worker only. */
  takeOrphans(apiUrl: string, workPool: string): JournalRecord[] {
    const records: JournalRecord[] = [];
    for (const file of readdirSync(this.#directory)) {
      const { nonce, owner, isTemporary } = parseName(file) ?? {};
      if (owner === undefined || nonce === undefined || isStillAlive(owner)) continue;
      const path = join(this.#directory, file);
      if (isTemporary === true) {
        rmSync(path, { force: true }); // half-written by a dying worker; the entry itself is there, too
        continue;
      }
      const entry = readEntry(path);
      if (entry === null || entry.apiUrl !== apiUrl || entry.workPool !== workPool) continue;
      const own = this.#path(entry.flowRunId, nonce);
      try {
        renameSync(path, own);
      } catch {
        continue; // another worker was faster
      }
      records.push(new JournalRecord(own, entry));
    }
    return records;
  }

  /** True while any worker that shares the directory has the run in hand. */
  has(flowRunId: string): boolean {
    return readdirSync(this.#directory).some((file) => file.startsWith(`${flowRunId}.`));
  }

  #path(flowRunId: string, nonce: string): string {
    return join(this.#directory, `${this.#prefix(flowRunId)}${nonce}.json`);
  }

  #prefix(flowRunId: string): string {
    const { pid, startTicks, bootId } = this.#owner;
    return `${flowRunId}.${pid}-${startTicks}-${bootId}.`;
  }
}

/** The open entry of one run. */
export class JournalRecord {
  readonly #path: string;
  #entry: JournalEntry;

  constructor(path: string, entry: JournalEntry) {
    this.#path = path;
    this.#entry = entry;
  }

  get entry(): JournalEntry {
    return this.#entry;
  }

  update(change: JournalChange): void {
    this.#entry = { ...this.#entry, ...change };
    this.write();
  }

  write(): void {
    const temporary = `${this.#path}.tmp`;
    writeFileSync(temporary, JSON.stringify(this.#entry), { mode: 0o600, flush: true });
    renameSync(temporary, this.#path);
  }

  remove(): void {
    rmSync(this.#path, { force: true });
  }
}

function parseName(
  file: string,
): { readonly owner: LastingIdentity; readonly nonce: string; readonly isTemporary: boolean } | null {
  const [, , pid, startTicks, bootId, nonce, suffix] = ENTRY_FILE.exec(file) ?? [];
  if (bootId === undefined || nonce === undefined) return null;
  return {
    owner: { pid: Number(pid), startTicks: Number(startTicks), bootId },
    nonce,
    isTemporary: suffix !== undefined,
  };
}

function readEntry(path: string): JournalEntry | null {
  try {
    const entry = JSON.parse(readFileSync(path, "utf8")) as JournalEntry;
    return typeof entry.flowRunId === "string" && typeof entry.transitionIds === "object" ? entry : null;
  } catch {
    return null; // taken by another worker in this moment, or by no worker written
  }
}
