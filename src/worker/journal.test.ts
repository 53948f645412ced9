import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, it } from "vitest";

import { Journal } from "./journal.ts";

const API = "http://127.0.0.1:4200/api";
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "journal-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

function writeOrphan(flowRunId: string, change: object = {}): void {
  const entry = {
    flowRunId,
    apiUrl: API,
    workPool: "p",
    phase: "claimed",
    transitionId: "t",
    owner: { pid: 4_000_000, startTicks: 1, bootId: "another boot" },
    ...change,
  };
  writeFileSync(join(directory, `${flowRunId}.json`), JSON.stringify(entry));
}

describe("Journal", () => {
  it("leaves the entries of living workers alone", ({ expect }) => {
    const journal = new Journal(directory);
    journal.open({ flowRunId: "mine", apiUrl: API, workPool: "p", transitionId: "t" });
    expect(new Journal(directory).takeOrphans(API, "p")).toEqual([]);
  });

  it("takes the entries of dead workers of this API and pool, each once", ({ expect }) => {
    writeOrphan("a");
    writeOrphan("b", { workPool: "other" });
    writeOrphan("c", { apiUrl: "http://elsewhere/api" });
    const taken = new Journal(directory).takeOrphans(API, "p");
    expect(taken.map((record) => record.entry.flowRunId)).toEqual(["a"]);
    expect(taken[0]?.entry.owner.pid).toBe(process.pid);
    expect(new Journal(directory).takeOrphans(API, "p")).toEqual([]);
  });

  it("finds an entry again whose taker died in the middle", ({ expect }) => {
    writeOrphan("a");
    const journal = new Journal(directory);
    // What a taker leaves that is killed between its rename and its rewrite.
    writeFileSync(
      join(directory, "b.json.0000-1111.taken"),
      JSON.stringify({
        flowRunId: "b",
        apiUrl: API,
        workPool: "p",
        phase: "launched",
        transitionId: "t",
        owner: { pid: 4_000_000, startTicks: 1, bootId: "another boot" },
      }),
    );
    expect(
      journal
        .takeOrphans(API, "p")
        .map((record) => record.entry.flowRunId)
        .toSorted(),
    ).toEqual(["a", "b"]);
    expect(readdirSync(directory).toSorted()).toEqual(["a.json", "b.json"]);
  });

  it("passes over a file that is no entry", ({ expect }) => {
    writeFileSync(join(directory, "broken.json"), '{"flowRunId": ');
    expect(new Journal(directory).takeOrphans(API, "p")).toEqual([]);
  });

  it("keeps updates and forgets a removed entry", ({ expect }) => {
    const record = new Journal(directory).open({
      flowRunId: "a",
      apiUrl: API,
      workPool: "p",
      transitionId: "t",
    });
    record.update({ phase: "launched", handle: { pid: 7 } });
    expect(record.entry).toMatchObject({ phase: "launched", handle: { pid: 7 }, transitionId: "t" });
    record.remove();
    expect(readdirSync(directory)).toEqual([]);
  });
});
