import { chmod, mkdir } from "node:fs/promises";
import { dirname } from "node:path";

import { WorkerError } from "../../errors.ts";
import { MIGRATIONS } from "./migrations.ts";

import type {
  DatabaseSyncInstance as DatabaseSync,
  StatementSyncInstance as StatementSync,
} from "@photostructure/sqlite";

import type { Migration } from "./migrations.ts";

/** What SQLite stores and gives back; booleans are 0 and 1. */
export type SqlValue = string | number | null;
export type Row = Record<string, SqlValue>;

/** Reads what is committed; within a transaction also what the transaction has written. */
export interface Reader {
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- what a row holds stands in the SQL text
  get<T extends object = Row>(sql: string, ...values: readonly SqlValue[]): T | undefined;
  all<T extends object = Row>(sql: string, ...values: readonly SqlValue[]): T[];
}

/** A transaction in progress. It is synchronous: nothing may be awaited in it. */
export interface Transaction extends Reader {
  /** Returns how many rows were changed. */
  run(sql: string, ...values: readonly SqlValue[]): number;
  /** Called once the transaction is on disk; not at all when it is rolled back. */
  afterCommit(action: () => void): void;
}

/** The server is stopping and takes no more writes. */
export class ClosedError extends Error {
  constructor() {
    super("The server is shutting down");
    this.name = "ClosedError";
  }
}

const SQLITE_CONSTRAINT = 19;

/** Whether a write failed because something is there already, or is not there that must be. */
export function isConflict(thrown: unknown): boolean {
  return (
    thrown instanceof Error &&
    "errcode" in thrown &&
    typeof thrown.errcode === "number" &&
    (thrown.errcode & 0xff) === SQLITE_CONSTRAINT
  );
}

interface Job {
  readonly run: (transaction: Transaction) => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
}

type Outcome = { readonly job: Job; readonly actions: readonly (() => void)[] } & (
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly reason: unknown }
);

/**
 * The server's one SQLite file, held exclusively by this process (WAL).
 *
 * Writes of requests that come in together are committed together, each within a savepoint of its own: nobody is answered
 * before the commit, and a killed process loses nothing that was answered.
 */
export class Database implements Reader {
  readonly #sqlite: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #queue: Job[] = [];
  #isFlushPlanned = false;
  #isClosed = false;

  private constructor(sqlite: DatabaseSync) {
    this.#sqlite = sqlite;
  }

  /** Opens the file, makes it when missing, and brings its schema up to date. Throws a WorkerError (DATABASE_UNUSABLE) when it cannot be used. */
  static async open(path: string, migrations: readonly Migration[] = MIGRATIONS): Promise<Database> {
    const { DatabaseSync } = await import("@photostructure/sqlite");
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    let sqlite: DatabaseSync | undefined;
    try {
      sqlite = new DatabaseSync(path, { timeout: 0 });
      await chmod(path, 0o600);
      // With the exclusive mode set first, WAL needs no shared memory, and a second process is refused.
      sqlite.exec(
        "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-8192; PRAGMA temp_store=MEMORY; PRAGMA wal_autocheckpoint=4000",
      );
      migrate(sqlite, migrations, path);
      return new Database(sqlite);
    } catch (thrown) {
      if (sqlite !== undefined) release(sqlite);
      throw inWords(thrown, path);
    }
  }

  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- as in Reader
  get<T extends object = Row>(sql: string, ...values: readonly SqlValue[]): T | undefined {
    return this.#statement(sql).get(...values) as T | undefined;
  }

  all<T extends object = Row>(sql: string, ...values: readonly SqlValue[]): T[] {
    return this.#statement(sql).all(...values) as T[];
  }

  /**
   * Runs `run` in a transaction and resolves with what it returned once that is on disk. When it throws, all that it wrote
   * is undone and the promise rejects with what was thrown.
   */
  write<T>(run: (transaction: Transaction) => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#isClosed) {
        reject(new ClosedError());
        return;
      }
      this.#queue.push({ run, resolve: resolve as (value: unknown) => void, reject });
      if (this.#isFlushPlanned) return;
      this.#isFlushPlanned = true;
      setImmediate(() => this.#flush());
    });
  }

  /** Writes what is still queued, then closes the file. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#flush();
    this.#statements.clear();
    release(this.#sqlite);
  }

  #flush(): void {
    this.#isFlushPlanned = false;
    const jobs = this.#queue;
    this.#queue = [];
    if (jobs.length === 0) return;
    let outcomes: Outcome[];
    try {
      this.#sqlite.exec("BEGIN IMMEDIATE");
      outcomes = jobs.map((job) => this.#runJob(job));
      this.#sqlite.exec("COMMIT");
    } catch (thrown) {
      if (this.#sqlite.isTransaction) this.#sqlite.exec("ROLLBACK");
      for (const job of jobs) job.reject(thrown);
      return;
    }
    for (const outcome of outcomes) {
      if (!outcome.ok) outcome.job.reject(outcome.reason);
      else outcome.job.resolve(outcome.value);
    }
    for (const { actions } of outcomes) for (const action of actions) action();
  }

  #runJob(job: Job): Outcome {
    const actions: (() => void)[] = [];
    this.#sqlite.exec("SAVEPOINT job");
    try {
      const value = job.run({
        get: (sql, ...values) => this.get(sql, ...values),
        all: (sql, ...values) => this.all(sql, ...values),
        run: (sql, ...values) => this.#statement(sql).run(...values).changes,
        afterCommit: (action) => void actions.push(action),
      });
      this.#sqlite.exec("RELEASE job");
      return { job, ok: true, value, actions };
    } catch (reason) {
      this.#sqlite.exec("ROLLBACK TO job; RELEASE job");
      return { job, ok: false, reason, actions: [] };
    }
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    // Filters make many texts; the oldest go.
    if (this.#statements.size >= MAX_STATEMENTS) {
      for (const oldest of this.#statements.keys()) {
        this.#statements.delete(oldest);
        break;
      }
    }
    const statement = this.#sqlite.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

const MAX_STATEMENTS = 500;

/** Closes the connection. SQLite holds on to the file until the last statement is garbage, so its lock is given back first. */
function release(sqlite: DatabaseSync): void {
  try {
    sqlite.exec("PRAGMA journal_mode=DELETE; PRAGMA locking_mode=NORMAL; SELECT count(*) FROM sqlite_master");
  } catch {
    // Another process has the file, or it is no database: there is no lock of ours.
  }
  sqlite.close();
}

function migrate(sqlite: DatabaseSync, migrations: readonly Migration[], path: string): void {
  sqlite.exec("BEGIN EXCLUSIVE");
  try {
    sqlite.exec(
      "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, applied TEXT NOT NULL)",
    );
    const { version } = sqlite
      .prepare("SELECT coalesce(max(version), 0) AS version FROM schema_version")
      .get() as {
      version: number;
    };
    const newest = migrations.at(-1)?.version ?? 0;
    if (version > newest) {
      throw new WorkerError(
        "DATABASE_UNUSABLE",
        `The database ${path} was written by a newer Lighterman (schema ${version})`,
        {
          hint: "Use that version again, or another --data directory.",
        },
      );
    }
    for (const migration of migrations) {
      if (migration.version <= version) continue;
      sqlite.exec(migration.sql);
      sqlite.prepare("INSERT INTO schema_version VALUES (?, datetime('now'))").run(migration.version);
    }
    sqlite.exec("COMMIT");
  } catch (thrown) {
    if (sqlite.isTransaction) sqlite.exec("ROLLBACK");
    throw thrown;
  }
}

function inWords(thrown: unknown, path: string): unknown {
  if (thrown instanceof WorkerError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  if (/locked|busy/i.test(message)) {
    return new WorkerError("DATABASE_UNUSABLE", `The database ${path} is in use by another process`, {
      cause: thrown,
      hint: "Another server has it open: use that one (PREFECT_API_URL), stop it, or choose another --data directory.",
    });
  }
  return new WorkerError("DATABASE_UNUSABLE", `The database ${path} cannot be opened: ${message}`, {
    cause: thrown,
    hint: "Check the directory's owner, permissions and free space, or choose another --data directory.",
  });
}
