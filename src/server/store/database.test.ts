import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { beforeEach, describe, expect, onTestFinished, test } from "vitest";

import { ClosedError, Database } from "./database.ts";

const MIGRATIONS = [
  { version: 1, sql: "CREATE TABLE item (name TEXT PRIMARY KEY) STRICT" },
  { version: 2, sql: "ALTER TABLE item ADD COLUMN size INTEGER NOT NULL DEFAULT 0" },
];
const NAMES = "SELECT name FROM item ORDER BY name";

let path: string;
beforeEach(async () => {
  const directory = await mkdtemp(join(tmpdir(), "database-test-"));
  path = join(directory, "data", "server.db");
  return () => rm(directory, { recursive: true, force: true });
});

async function open(migrations = MIGRATIONS): Promise<Database> {
  const database = await Database.open(path, migrations);
  onTestFinished(() => database.close());
  return database;
}

describe("Database", () => {
  test("brings an old schema up to date and keeps the data", async () => {
    const old = await open(MIGRATIONS.slice(0, 1));
    await old.write((tx) => tx.run("INSERT INTO item VALUES ('a')"));
    old.close();
    const now = await open();
    expect(now.all("SELECT * FROM item")).toEqual([{ name: "a", size: 0 }]);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test("refuses a file of a newer version, and leaves it as it was", async () => {
    (await open()).close();
    await expect(open(MIGRATIONS.slice(0, 1))).rejects.toMatchObject({ code: "DATABASE_UNUSABLE" });
    expect((await open()).all(NAMES)).toEqual([]);
  });

  test("undoes a failed migration as a whole", async () => {
    const broken = [...MIGRATIONS, { version: 3, sql: "CREATE TABLE other (x); CREATE TABLE item (x)" }];
    await expect(open(broken)).rejects.toMatchObject({ code: "DATABASE_UNUSABLE" });
    const database = await open();
    expect(database.get("SELECT count(*) AS n FROM sqlite_master WHERE name = 'other'")).toEqual({ n: 0 });
  });

  test("refuses what is no database", async () => {
    const { mkdir, writeFile } = await import("node:fs/promises");
    await mkdir(join(path, ".."), { recursive: true });
    await writeFile(path, "this is text, and long enough not to be taken for an empty file".repeat(50));
    await expect(open()).rejects.toMatchObject({ code: "DATABASE_UNUSABLE" });
  });

  test("undoes only the write that failed among those of one commit", async () => {
    const database = await open();
    const committed: string[] = [];
    function insert(name: string, fails = false): Promise<string> {
      return database.write((tx) => {
        tx.run("INSERT INTO item (name) VALUES (?)", name);
        tx.afterCommit(() => committed.push(name));
        if (fails) throw new Error("no");
        return name;
      });
    }
    const outcomes = await Promise.allSettled([insert("a"), insert("b", true), insert("a"), insert("c")]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected", "fulfilled"]);
    expect(database.all(NAMES)).toEqual([{ name: "a" }, { name: "c" }]);
    expect(committed).toEqual(["a", "c"]);
  });

  test("shows a write its own changes, and nobody else's half", async () => {
    const database = await open();
    const seen = await database.write((tx) => {
      tx.run("INSERT INTO item (name) VALUES ('a')");
      return tx.all(NAMES);
    });
    expect(seen).toEqual([{ name: "a" }]);
  });

  test("writes what is queued when it is closed, and nothing afterwards", async () => {
    const database = await open();
    const queued = database.write((tx) => tx.run("INSERT INTO item (name) VALUES ('last')"));
    database.close();
    await queued;
    await expect(database.write(() => 1)).rejects.toBeInstanceOf(ClosedError);
    expect((await open()).all(NAMES)).toEqual([{ name: "last" }]);
  });
});
