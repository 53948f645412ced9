import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, it } from "vitest";

import { parseJson } from "../../src/json/parse.ts";
import { stringifyJson } from "../../src/json/stringify.ts";
import { prepareStorage } from "../../src/steps/storage.ts";
import { openStage } from "../support/pull-stage.ts";
import { CASES, FILES } from "./steps/cases.ts";

import type { Json, JsonObject } from "../../src/json/value.ts";
import type { TestStage } from "../support/pull-stage.ts";
import type { StepsCase } from "./steps/cases.ts";

// Every list of steps goes through the preparation stage of the installed Prefect's process worker and through ours, each in a
// workspace of its own. Compared are directory, files, outputs, environment, import path, events and log lines.

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PYTHON = process.env["LIGHTERMAN_TEST_PYTHON3"] ?? join(ROOT, ".venvs/prefect3/bin/python");

interface Answer {
  readonly error?: string;
  readonly directory?: string;
  readonly outputs?: JsonObject;
  readonly environment?: JsonObject;
  readonly gone?: readonly string[];
  readonly python_path?: readonly string[];
  readonly events: Json;
  readonly lines: readonly string[];
}

describe("pull steps, against the installed Prefect", () => {
  const theirs = CASES.map((step) => openCase(step));
  const ours = CASES.map((step) => openCase(step));
  let answers: readonly Answer[] = [];

  beforeAll(async () => {
    if (existsSync(PYTHON)) answers = await askPrefect(theirs);
  });
  afterAll(() => {
    for (const stage of [...theirs, ...ours]) stage.remove();
  });

  it("finds a Python with Prefect", ({ expect }) => {
    expect(existsSync(PYTHON), `${PYTHON} is missing: run .ci/run once, or set LIGHTERMAN_TEST_PYTHON3`).toBe(
      true,
    );
  });

  it.for(CASES.map((step, index) => ({ name: step.name, index })))("$name", async ({ index }, { expect }) => {
    const [step, stage, other, answer] = [CASES[index]!, ours[index]!, theirs[index]!, answers[index]!];
    const mine = await prepare(step, stage);
    if (step.isRefusedEarly === true) {
      expect(mine).toMatchObject({ error: expect.any(String), events: [], lines: [] });
      expect(answer.error).toBeDefined();
      return;
    }
    const [expected, actual] = [neutral(answer, other), neutral(mine, stage)];
    // The words of an error are ours; that there is one, and what was told until then, is Prefect's.
    expect(
      { ...actual, error: mine.error !== undefined },
      `Prefect: ${answer.error}; ours: ${mine.error}`,
    ).toEqual({
      ...expected,
      error: answer.error !== undefined,
    });
    expect(tree(stage.cwd)).toEqual(tree(other.cwd));
  });
});

function openCase(step: StepsCase): TestStage {
  const stage = openStage({ blocks: { ...step.blocks }, variables: { ...step.variables } });
  for (const [name, content] of Object.entries(FILES)) {
    mkdirSync(join(stage.cwd, dirname(name)), { recursive: true });
    stage.write(name, content);
  }
  // Python would leave its byte code in one of the workspaces more than in the other.
  Object.assign(stage.env, step.env, {
    PYTHONDONTWRITEBYTECODE: "1",
    PREFECT_HOME: join(stage.cwd, ".prefect"),
  });
  return Object.assign(stage, { python: async () => PYTHON });
}

async function askPrefect(stages: readonly TestStage[]): Promise<readonly Answer[]> {
  const cases = CASES.map((step, index) => ({
    blocks: {},
    variables: {},
    ...step,
    env: stages[index]!.env,
    cwd: stages[index]!.cwd,
  }));
  const child = spawn(PYTHON, [join(ROOT, "test/integration/steps/oracle.py")], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, PREFECT_LOGGING_LEVEL: "ERROR", PYTHONDONTWRITEBYTECODE: "1" },
  });
  child.stdin.end(stringifyJson(cases));
  return parseJson(await text(child.stdout)) as unknown as readonly Answer[];
}

async function prepare(step: StepsCase, stage: TestStage): Promise<Answer> {
  const fields = {
    path: step.path ?? null,
    storageDocumentId: null,
    entrypoint: step.entrypoint ?? "module.flow",
  };
  const told = (): Pick<Answer, "events" | "lines"> => ({
    events: stage.events.map(({ index, qualifiedName, stepName, id, inputs, status }) => [
      status,
      { index, qualified_name: qualifiedName, step_name: stepName, id, inputs },
    ]),
    lines: stage.lines.filter((line) => !line.startsWith("output: ")),
  });
  try {
    const isStorage = Array.isArray(step.steps) && step.steps.length === 0;
    const pulled = isStorage
      ? await prepareStorage({ ...stage, ...fields })
      : await stage.run(step.steps, { fallback: fields });
    return {
      directory: pulled.directory,
      outputs: pulled.outputs,
      environment: Object.fromEntries(
        Object.entries(pulled.env).filter(([name, value]) => stage.env[name] !== value),
      ),
      gone: Object.keys(stage.env).filter((name) => !(name in pulled.env)),
      python_path: pulled.pythonPath,
      ...told(),
    };
  } catch (error) {
    return { error: String(error), ...told() };
  }
}

function neutral(answer: Answer, stage: TestStage): JsonObject {
  return JSON.parse(
    stringifyJson({ ...answer, error: "" }).replaceAll(stage.cwd, "<workspace>"),
  ) as JsonObject;
}

function tree(directory: string): readonly string[] {
  return (readdirSync(directory, { recursive: true }) as string[])
    .filter((name) => !/__pycache__|^\.prefect/.test(name))
    .toSorted();
}
