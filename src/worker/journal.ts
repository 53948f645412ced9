import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { isStillAlive, ownIdentity } from "../lifecycle/proc.ts";

import type { StateProposal } from "../api/types.ts";
import type { LastingIdentity } from "../lifecycle/proc.ts";

/**
 * What is known on disk about one claimed flow run.
 *
 * `claiming` is written before the claim is proposed, `claimed` once it was accepted, `launched` right after the child was
 * started, `reporting` once its end is known but the final state may not have reached the API. The entry is removed when
 * nothing is left to do. A worker that starts settles every entry whose owner is dead (see recovery.ts).
 */
export interface JournalEntry {
  readonly flowRunId: string;
  readonly apiUrl: string;
  readonly workPool: string;
  readonly phase: "claiming" | "claimed" | "launched" | "reporting";
  /** Marks our own claim: the server keeps it in the state's details. */
  readonly transitionId: string;
  readonly owner: LastingIdentity;
  /** Removed with the run when it is ours (a fresh temporary directory). */
  readonly workspace?: string;
  readonly outputFile?: string;
  /** Of the launcher: finds the attempt again. */
  readonly handle?: Readonly<Record<string, string | number>>;
  readonly isCommandRun?: boolean;
  /** A state that could not be delivered yet. */
  readonly report?: { readonly proposal: StateProposal; readonly force: boolean };
}

export type JournalChange = Partial<Omit<JournalEntry, "flowRunId" | "owner">>;

const SUFFIX = ".json";
// A taken-over entry stands under a second name until it is rewritten, so that a kill in between loses nothing.
const ENTRY_FILE = /\.json(\.[\w-]+\.taken)?$/;

/** One small file per claimed run below `directory`; several workers of a machine may share it. */
export class Journal {
  readonly #directory: string;
  readonly #owner = ownIdentity();

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  /** Writes the entry before the claim. Synchronous on purpose: nothing may happen between the write and the claim. */
  open(entry: Omit<JournalEntry, "owner" | "phase">): JournalRecord {
    const record = new JournalRecord(this.#path(entry.flowRunId), {
      ...entry,
      owner: this.#owner,
      phase: "claiming",
    });
    record.write();
    return record;
  }

  /** Takes over the entries of dead workers for this API and pool. Each is taken by one worker only. */
  takeOrphans(apiUrl: string, workPool: string): JournalRecord[] {
    const records: JournalRecord[] = [];
    for (const file of readdirSync(this.#directory)) {
      if (!ENTRY_FILE.test(file)) continue;
      const record = this.#takeOrphan(file, apiUrl, workPool);
      if (record !== null) records.push(record);
    }
    return records;
  }

  /** True while any worker that shares the directory has the run in hand. */
  has(flowRunId: string): boolean {
    return existsSync(this.#path(flowRunId));
  }

  #takeOrphan(file: string, apiUrl: string, workPool: string): JournalRecord | null {
    const path = join(this.#directory, file);
    const entry = readEntry(path);
    if (entry === null || entry.apiUrl !== apiUrl || entry.workPool !== workPool) return null;
    if (isStillAlive(entry.owner)) return null;
    // Of several workers that start at once, the one whose rename succeeds has the entry.
    const own = this.#path(entry.flowRunId);
    const taken = `${own}.${randomUUID()}.taken`;
    try {
      renameSync(path, taken);
    } catch {
      return null; // another worker was faster
    }
    const record = new JournalRecord(own, { ...entry, owner: this.#owner });
    record.write();
    rmSync(taken, { force: true });
    return record;
  }

  #path(flowRunId: string): string {
    return join(this.#directory, `${flowRunId}${SUFFIX}`);
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
    const temporary = `${this.#path}.${process.pid}.tmp`;
    writeFileSync(temporary, JSON.stringify(this.#entry), { mode: 0o600, flush: true });
    renameSync(temporary, this.#path);
  }

  remove(): void {
    rmSync(this.#path, { force: true });
  }
}

function readEntry(path: string): JournalEntry | null {
  try {
    const entry = JSON.parse(readFileSync(path, "utf8")) as JournalEntry;
    return typeof entry.flowRunId === "string" && typeof entry.owner === "object" ? entry : null;
  } catch {
    return null; // half-written by a dying worker before its rename, or taken by another one: nothing to settle
  }
}
