import { execFile } from "node:child_process";
import { chmod, mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { createGitClone } from "../../src/steps/git-clone.ts";
import { findExecutable } from "../../src/steps/executables.ts";
import { GIT_ENV } from "./git-http-server.ts";
import { openStage } from "./pull-stage.ts";

import type { JsonObject } from "../../src/json/value.ts";
import type { GitCloneOptions } from "../../src/steps/git-clone.ts";
import type { TestStage } from "./pull-stage.ts";

const run = promisify(execFile);

/** A stage in which git_clone runs, with a git that keeps a list of how it was called. */
export class GitWorkspace implements AsyncDisposable {
  readonly stage: TestStage;
  readonly env: Record<string, string>;

  private constructor(stage: TestStage) {
    this.stage = stage;
    this.env = { ...GIT_ENV, HOME: join(stage.cwd, "home") };
  }

  static async open(): Promise<GitWorkspace> {
    const stage = openStage();
    const workspace = new GitWorkspace(stage);
    await mkdir(workspace.cwd);
    await mkdir(join(stage.cwd, "home"));
    await mkdir(join(stage.cwd, "bin"));
    const real = findExecutable("git", GIT_ENV) ?? "git";
    const script = `#!/bin/sh\necho "$@" >> '${stage.cwd}/calls'\nexec '${real}' "$@"\n`;
    await writeFile(join(stage.cwd, "bin", "git"), script);
    await chmod(join(stage.cwd, "bin", "git"), 0o755);
    workspace.env["PATH"] = `${join(stage.cwd, "bin")}:${GIT_ENV["PATH"]}`;
    return workspace;
  }

  /** The current directory of the step. */
  get cwd(): string {
    return join(this.stage.cwd, "work");
  }

  /** Runs the step and answers its output `directory`. */
  async clone(inputs: JsonObject, options: GitCloneOptions = {}): Promise<string> {
    const context = { ...this.stage, cwd: this.cwd, env: this.env };
    const { outputs } = await createGitClone(options).run(inputs, context);
    const directory = outputs?.["directory"];
    if (typeof directory !== "string") throw new Error("git_clone gave no directory");
    return directory;
  }

  /** Runs the step, which must fail, and answers its error. */
  async fail(inputs: JsonObject, options: GitCloneOptions = {}): Promise<Error> {
    const result = await this.clone(inputs, options).catch((error: unknown) => error);
    if (result instanceof Error) return result;
    throw new Error(`git_clone did not fail but made ${String(result)}`);
  }

  /** The commands that the step has run, without what git itself starts. */
  async calls(): Promise<readonly string[]> {
    const text = await readFile(join(this.stage.cwd, "calls"), "utf8").catch(() => "");
    return text.split("\n").filter((line) => line !== "");
  }

  async git(directory: string, ...args: readonly string[]): Promise<string> {
    const { stdout } = await run("git", args, { cwd: join(this.cwd, directory), env: GIT_ENV });
    return stdout.trim();
  }

  async read(path: string): Promise<string> {
    return await readFile(join(this.cwd, path), "utf8");
  }

  /** What lies in a directory, sorted. */
  async list(path = "."): Promise<readonly string[]> {
    return (await readdir(join(this.cwd, path))).toSorted();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stage.abort.abort();
    this.stage.remove();
  }
}
