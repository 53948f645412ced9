import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { discoverPython } from "../../src/steps/python.ts";
import { runPullSteps } from "../../src/steps/run-steps.ts";

import type { Json } from "../../src/json/value.ts";
import type { PulledCode, PullStage } from "../../src/steps/pull-stage.ts";
import type { PullStepsOptions, StepEvent } from "../../src/steps/run-steps.ts";
import type { ReferenceLookups } from "../../src/steps/types.ts";

/** A workspace and what a test wants to see of a pull stage in it. */
export interface TestStage extends PullStage {
  readonly env: Record<string, string>;
  /** `info: …`, `warn: …`, `output: …` in the order of their coming. */
  readonly lines: string[];
  readonly secrets: string[];
  readonly events: StepEvent[];
  readonly lookups: ReferenceLookups;
  readonly abort: AbortController;
  /** Called with each line as it comes. */
  onLine: (line: string) => void;
  write(name: string, text: string): void;
  run(steps: Json, more?: Partial<PullStepsOptions>): Promise<PulledCode>;
  remove(): void;
}

/** What the API would give. */
export interface TestReferences {
  readonly blocks?: Readonly<Record<string, Json>>;
  readonly variables?: Readonly<Record<string, Json>>;
}

/** Opens a stage in a fresh directory; `remove` deletes it. */
export function openStage(references: TestReferences = {}): TestStage {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "lighterman-stage-")));
  const abort = new AbortController();
  const lines: string[] = [];
  const secrets: string[] = [];
  const events: StepEvent[] = [];
  const say = (line: string): void => {
    lines.push(line);
    stage.onLine(line);
  };
  const stage: TestStage = {
    cwd: directory,
    env: { PATH: process.env["PATH"] ?? "", HOME: directory },
    lines,
    secrets,
    events,
    abort,
    signal: abort.signal,
    onLine: () => undefined,
    python: async () => (await discoverPython({ env: process.env, signal: abort.signal })).path,
    environmentsDir: join(directory, ".environments"),
    registerSecret: (secret) => void secrets.push(secret),
    log: {
      debug: (message) => say(`debug: ${message}`),
      info: (message) => say(`info: ${message}`),
      warn: (message) => say(`warn: ${message}`),
      error: (message) => say(`error: ${message}`),
      output: (line) => say(`output: ${line}`),
    },
    lookups: {
      block: async (typeSlug, name) => references.blocks?.[`${typeSlug}/${name}`],
      blockById: async (id) => references.blocks?.[id],
      variable: async (name) => references.variables?.[name],
    },
    write: (name, text) => writeFileSync(join(directory, name), text),
    run: async (steps, more = {}) =>
      await runPullSteps({ ...stage, steps, onStep: (event) => void events.push(event), ...more }),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
  return stage;
}
