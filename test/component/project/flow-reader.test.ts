import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "vitest";

import { FlowReader } from "../../../src/project/flow-reader.ts";
import { listProcesses } from "../../support/proc.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "flow-reader-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

/** Reads with a program in the interpreter's place. */
async function readerWith(script: string): Promise<FlowReader> {
  const python = join(directory, "python");
  await writeFile(python, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return new FlowReader({
    python: () => Promise.resolve(python),
    cwd: directory,
    env: { PATH: process.env["PATH"] ?? "" },
    signal: new AbortController().signal,
    onLine: () => undefined,
  });
}

const ANSWER = `read -r line; echo "{\\"entrypoint\\": $line, \\"name\\": \\"a flow\\"}"`;

describe("the reader of flows", () => {
  it("tells what it has read before the interpreter ended, and of the rest why it was not read", async ({
    expect,
  }) => {
    await using reader = await readerWith(`${ANSWER}; read -r line; echo "no more" >&2; exit 3`);
    const flows = await reader.read(["a.py:a", "b.py:b", "c.py:c"]);
    expect(flows.get("a.py:a")).toMatchObject({ name: "a flow" });
    for (const entrypoint of ["b.py:b", "c.py:c"]) {
      expect(flows.get(entrypoint)).toMatchObject({
        code: "FLOW_UNREADABLE",
        message: `The flow '${entrypoint}' cannot be read: Python ended with status 3 while it was loaded\n    no more`,
      });
    }
    expect((await reader.read(["d.py:d"])).get("d.py:d")).toBeInstanceOf(Error);
  });

  it("answers again without a second reading", async ({ expect }) => {
    await using reader = await readerWith(`${ANSWER}; read -r line`);
    const first = await reader.read(["a.py:a"]);
    expect((await reader.read(["a.py:a"])).get("a.py:a")).toBe(first.get("a.py:a"));
  });

  it("does not wait for an interpreter that a module keeps alive, or that nobody has asked", async ({
    expect,
  }) => {
    const asked = await readerWith(`${ANSWER}; sleep 600`);
    await asked.read(["a.py:a"]);
    const idle = await readerWith("sleep 600");
    await Promise.all([asked[Symbol.asyncDispose](), idle[Symbol.asyncDispose]()]);
    expect(listProcesses().filter(({ argv }) => argv.includes(join(directory, "python")))).toEqual([]);
  });

  it("rejects where there is no interpreter", async ({ expect }) => {
    await using reader = new FlowReader({
      python: () => Promise.resolve(join(directory, "none")),
      cwd: directory,
      env: {},
      signal: new AbortController().signal,
      onLine: () => undefined,
    });
    await expect(reader.read(["a.py:a"])).rejects.toThrow(/Program not found/);
  });
});
