import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, it } from "vitest";

import { parseJson } from "../../src/json/parse.ts";
import { prefectProgram } from "../support/prefect-server.ts";
import { FLOW_SOURCES } from "./deploy/flow-sources.ts";

// A flow of which the source says all is read without Prefect. Here both are asked: they must say the same, or the source is not trusted.

const READER = fileURLToPath(new URL("../../src/project", import.meta.url));
const ORACLE = fileURLToPath(new URL("deploy/flow_oracle.py", import.meta.url));

interface Answer {
  readonly plain: boolean;
  readonly source: string;
  readonly prefect: string;
}

describe.for([3, 2] as const)("flows and the installed Prefect %i", (version) => {
  const directory = mkdtempSync(join(tmpdir(), "flow-reading-"));
  let answers: readonly Answer[] = [];

  beforeAll(async () => {
    for (const [index, { text: source }] of FLOW_SOURCES.entries()) {
      writeFileSync(join(directory, `module_${index}.py`), source);
    }
    const child = spawn(prefectProgram(version, "python"), [ORACLE, READER], {
      cwd: directory,
      stdio: ["pipe", "pipe", "inherit"],
    });
    child.stdin.end(FLOW_SOURCES.map((_, index) => `"module_${index}.py:f"\n`).join(""));
    const lines = (await text(child.stdout)).trimEnd().split("\n");
    answers = lines.map((line) => parseJson(line) as unknown as Answer);
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  it.for(FLOW_SOURCES.map(({ name, isPlain }, index) => ({ name, isPlain, index })))(
    "$name",
    ({ isPlain, index }, { expect }) => {
      const { plain, source, prefect } = answers[index]!;
      expect(plain).toBe(isPlain);
      if (isPlain) expect(source).toEqual(prefect);
    },
  );
});
