import { mkdtempSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { pullFromS3 } from "../../src/steps/pull-from-s3.ts";
import { pushToS3 } from "../../src/steps/push-to-s3.ts";
import type { JsonObject } from "../../src/json/value.ts";
import type { StepContext, StepOutcome } from "../../src/steps/types.ts";

/** A directory to pull into, and what a test wants to see of the step. */
export interface S3Stage extends Disposable {
  readonly directory: string;
  /** The run's environment; may be changed before the pull. */
  readonly env: Record<string, string>;
  readonly lines: readonly string[];
  readonly secrets: readonly string[];
  readonly abort: AbortController;
  pull(inputs: JsonObject): Promise<StepOutcome>;
  push(inputs: JsonObject): Promise<StepOutcome>;
  /** Paths of all that lies below the directory but directories, sorted. */
  files(): readonly string[];
  read(path: string): Promise<string>;
}

export function openS3Stage(env: Record<string, string> = {}): S3Stage {
  // One level deeper, so that a test sees what would be written beside it.
  const parent = realpathSync(mkdtempSync(join(tmpdir(), "lighterman-pull-")));
  const directory = mkdtempSync(join(parent, "target-"));
  const lines: string[] = [];
  const secrets: string[] = [];
  const abort = new AbortController();
  const say = (level: string) => (message: string) => void lines.push(`${level}: ${message}`);
  // Whatever the machine has must not count; a directory without .aws is the run's home.
  const runEnv: Record<string, string> = { HOME: parent, AWS_EC2_METADATA_DISABLED: "true", ...env };
  const context: StepContext = {
    cwd: directory,
    env: runEnv,
    python: () => Promise.reject(new Error("not needed")),
    environmentsDir: join(parent, "environments"),
    log: {
      debug: say("debug"),
      info: say("info"),
      warn: say("warn"),
      error: say("error"),
      output: say("output"),
    },
    signal: abort.signal,
    registerSecret: (secret) => void secrets.push(secret),
  };
  return {
    directory,
    env: runEnv,
    lines,
    secrets,
    abort,
    pull: (inputs) => pullFromS3.run(inputs, context),
    push: (inputs) => pushToS3.run(inputs, context),
    files: () =>
      listBelow(parent)
        .map((path) => relative(directory, path))
        .sort(),
    read: (path) => readFile(join(directory, path), "utf8"),
    [Symbol.dispose]: () => rmSync(parent, { recursive: true, force: true }),
  };
}

// By hand: `recursive` of readdir follows symbolic links on Node 24, for ever when one leads upwards.
function listBelow(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    return entry.isDirectory() ? listBelow(path) : [path];
  });
}
