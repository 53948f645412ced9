import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, it } from "vitest";

import { Journal } from "./journal.ts";

import type { JournalRecord } from "./journal.ts";

const API = "http://127.0.0.1:4200/api";
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "journal-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

const TRANSITIONS = { claim: "c", submitting: "s", running: "r" };

function nameOf(flowRunId: string, nonce = "0"): string {
  return `${flowRunId}.4000000-1-another-boot.${nonce}.json`;
}

function writeOrphan(flowRunId: string, change: object = {}, nonce?: string): void {
  const entry = {
    flowRunId,
    apiUrl: API,
    workPool: "p",
    phase: "claimed",
    attempt: "x",
    pidBefore: null,
    transitionIds: TRANSITIONS,
  };
  writeFileSync(join(directory, nameOf(flowRunId, nonce)), JSON.stringify({ ...entry, ...change }));
}

function idsOf(records: readonly JournalRecord[]): string[] {
  return records.map((record) => record.entry.flowRunId).toSorted();
}

describe("Journal", () => {
  it("leaves the entries of living workers alone", ({ expect }) => {
    const journal = new Journal(directory);
    journal.open({ flowRunId: "mine", apiUrl: API, workPool: "p", pidBefore: null });
    expect(new Journal(directory).takeOrphans(API, "p")).toEqual([]);
    expect(journal.has("mine")).toBe(true);
    expect(journal.has("min")).toBe(false);
  });

  it("takes the entries of dead workers of this API and pool, each once", ({ expect }) => {
    writeOrphan("a");
    writeOrphan("b", { workPool: "other" });
    writeOrphan("c", { apiUrl: "http://elsewhere/api" });
    const taken = new Journal(directory).takeOrphans(API, "p");
    expect(idsOf(taken)).toEqual(["a"]);
    expect(readdirSync(directory).find((name) => name.startsWith("a."))).toContain(`.${process.pid}-`);
    expect(new Journal(directory).takeOrphans(API, "p")).toEqual([]);
    taken[0]?.remove();
    expect(readdirSync(directory).toSorted()).toEqual([nameOf("b"), nameOf("c")]);
  });

  it("keeps apart what several workers have on the same run", ({ expect }) => {
    writeOrphan("a", {}, "0");
    writeOrphan("a", { phase: "launched" }, "1");
    const journal = new Journal(directory);
    journal.open({ flowRunId: "a", apiUrl: API, workPool: "p", pidBefore: null });
    const again = journal.open({ flowRunId: "a", apiUrl: API, workPool: "p", pidBefore: null });
    expect(readdirSync(directory)).toHaveLength(3);
    again.remove();
    expect(idsOf(journal.takeOrphans(API, "p"))).toEqual(["a", "a"]);
    expect(readdirSync(directory)).toHaveLength(2);
  });

  it("passes over files that are no entries, and sweeps those that a dying worker has half written", ({
    expect,
  }) => {
    writeOrphan("a");
    writeFileSync(join(directory, nameOf("broken")), '{"flowRunId": ');
    writeFileSync(join(directory, "notes.txt"), "");
    writeFileSync(join(directory, `${nameOf("a")}.tmp`), '{"flowRunId": ');
    expect(idsOf(new Journal(directory).takeOrphans(API, "p"))).toEqual(["a"]);
    expect(readdirSync(directory).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  it("keeps updates and forgets a removed entry", ({ expect }) => {
    const record = new Journal(directory).open({
      flowRunId: "a",
      apiUrl: API,
      workPool: "p",
      pidBefore: null,
    });
    record.update({ phase: "launched", handle: { pid: 7 } });
    expect(record.entry).toMatchObject({ phase: "launched", handle: { pid: 7 } });
    record.remove();
    expect(readdirSync(directory)).toEqual([]);
  });
});
