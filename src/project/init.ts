import { realpath, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";

import { Document, isMap, isScalar } from "yaml";

import { WorkerError } from "../errors.ts";
import { applyValues } from "../templating/index.ts";
import { exists } from "../steps/existence.ts";
import { runTool } from "../steps/tool.ts";
import { closest } from "./closest.ts";
import { RECIPES } from "./recipes.ts";

import type { JsonObject } from "../json/value.ts";
import type { Recipe } from "./recipes.ts";

/** The release whose prefect.yaml is written. */
export const PREFECT_VERSION = "3.8.8";

export interface InitOptions {
  /** Absolute. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** Of the project; undefined: the directory's. */
  readonly name: string | undefined;
  readonly fields: Readonly<Record<string, string>>;
  /** Prefect's, written into the file. */
  readonly version: string;
}

/** What a directory tells of itself. */
export interface Surroundings {
  readonly directory: string;
  readonly directoryName: string;
  /** Address of the git remote `origin`; undefined without one. */
  readonly repository: string | undefined;
  readonly branch: string | undefined;
  readonly hasDockerfile: boolean;
}

export interface ProjectContents {
  readonly name: string;
  /** Prefect's, written into the file. */
  readonly version: string;
  readonly build: unknown;
  readonly push: unknown;
  readonly pull: unknown;
  readonly deployments: unknown;
}

/** Looks at a directory: its git remote and branch, its Dockerfile. */
export async function lookAround({
  cwd,
  env,
  signal,
}: Pick<InitOptions, "cwd" | "env" | "signal">): Promise<Surroundings> {
  const git = async (...args: readonly string[]): Promise<string | undefined> => {
    try {
      const { exitCode, stdout } = await runTool(["git", ...args], { cwd, env, signal });
      return exitCode === 0 && stdout.trim() !== "" ? stdout.trim() : undefined;
    } catch {
      signal.throwIfAborted();
      return undefined; // no git here
    }
  };
  const [directory, repository, branch, hasDockerfile] = await Promise.all([
    realpath(cwd),
    git("config", "--get", "remote.origin.url"),
    git("rev-parse", "--abbrev-ref", "HEAD"),
    exists(join(cwd, "Dockerfile")),
  ]);
  return { directory, directoryName: basename(directory), repository, branch, hasDockerfile };
}

/** The recipe that fits what is there (prefect/deployments/base.py: initialize_project). */
export function guessRecipe({ repository, hasDockerfile }: Surroundings): Recipe {
  const name =
    repository === undefined ? (hasDockerfile ? "docker" : "local") : hasDockerfile ? "docker-git" : "git";
  return findRecipe(name);
}

/** Throws a WorkerError (USAGE) that names the recipes there are. */
export function findRecipe(name: string): Recipe {
  const recipe = RECIPES.find((candidate) => candidate.name === name);
  if (recipe !== undefined) return recipe;
  const names = RECIPES.map((candidate) => candidate.name);
  const near = closest(name, names);
  throw new WorkerError("DEPLOY_REFUSED", `Unknown recipe '${name}' provided`, {
    hint: `${near === undefined ? "" : `Do you mean ${near}? `}There are ${names.join(", ")}.`,
  });
}

/** The text of the prefect.yaml that a recipe gives. Placeholders without a field stay, for the user to fill. */
export function prefectYamlOf(recipe: Recipe, surroundings: Surroundings, options: InitOptions): string {
  const { directory, directoryName, repository, branch, hasDockerfile } = surroundings;
  const dockerfile = hasDockerfile ? "Dockerfile" : recipe.name.includes("docker") ? "auto" : undefined;
  const fields: JsonObject = {
    directory,
    ...(repository === undefined ? {} : { repository, branch: branch ?? "main" }),
    name: directoryName,
    ...(dockerfile === undefined ? {} : { dockerfile }),
    ...options.fields,
  };
  const { build, push, pull, deployments } = applyValues(
    {
      build: recipe.build,
      push: recipe.push,
      pull: recipe.pull,
      deployments: [
        {
          name: null,
          version: null,
          tags: [],
          description: null,
          schedule: {},
          flow_name: null,
          entrypoint: null,
          parameters: {},
          work_pool: { name: null, work_queue_name: null, job_variables: recipe.jobVariables },
        },
      ],
    },
    fields,
    { env: options.env, removeNotset: false },
  );
  const name = options.name ?? directoryName;
  return projectFile({ name, version: options.version, build, push, pull, deployments });
}

/** The text of a new prefect.yaml, each section under a comment. */
export function projectFile({ version, ...contents }: ProjectContents): string {
  const { name, build, push, pull, deployments } = contents;
  const sections = { name, "prefect-version": version, build, push, pull, deployments };
  const document = new Document(sections, { version: "1.1", aliasDuplicateObjects: false });
  document.commentBefore =
    " How this project is built and deployed: `lighterman deploy` and `prefect deploy` read this file.";
  for (const [key, comment] of Object.entries(COMMENTS)) commentOn(document, key, comment);
  return document.toString({ lineWidth: 0 });
}

const COMMENTS: Readonly<Record<string, string>> = {
  name: " About this project",
  build: " Steps that build what the flows need, such as a Docker image",
  push: " Steps that bring code or images to where workers find them",
  pull: " Steps that a worker runs to get the flow's code",
  deployments: " What `deploy` registers; give each its flow's entrypoint (path/to/file.py:function)",
};

function commentOn(document: Document, key: string, comment: string): void {
  const { contents } = document;
  const pair = isMap(contents)
    ? contents.items.find((item) => isScalar(item.key) && item.key.value === key)
    : undefined;
  if (pair === undefined || !isScalar(pair.key)) return;
  pair.key.commentBefore = comment;
  // Before the first there is the file's own comment.
  if (key !== "name") pair.key.spaceBefore = true;
}

/** Patterns of what is no part of a project's code. */
const IGNORED = [
  ["This file, and version control", ".prefectignore", ".git/", ".hg/"],
  [
    "Python's caches and build results",
    "__pycache__/",
    "*.py[cod]",
    "*$py.class",
    "*.egg-info/",
    "*.egg",
    ".mypy_cache/",
    ".dmypy.json",
    "dmypy.json",
    ".pyre/",
    ".pytest_cache/",
    ".ruff_cache/",
  ],
  ["Notebooks", "profile_default/", "ipython_config.py", "*.ipynb_checkpoints/*"],
  ["Environments", ".python-version", ".env", ".venv", "env/", "venv/"],
  ["Other tools", ".DS_Store", "dask-worker-space/", ".idea/", ".vscode/"],
] as const;

/** The text of a new .prefectignore. */
export function prefectIgnore(): string {
  return `${IGNORED.map(([title, ...patterns]) => [`# ${title}`, ...patterns].join("\n")).join("\n\n")}\n`;
}

/** Writes what is not there yet, once every question is answered. Returns the names of the new files. */
export async function writeFiles(
  cwd: string,
  files: Readonly<Record<string, string>>,
  mayOverwrite: (name: string) => Promise<boolean>,
): Promise<readonly string[]> {
  const chosen: (readonly [name: string, text: string])[] = [];
  for (const [name, text] of Object.entries(files)) {
    if (!(await exists(join(cwd, name))) || (await mayOverwrite(name))) chosen.push([name, text]);
  }
  for (const [name, text] of chosen) await writeFile(join(cwd, name), text);
  return chosen.map(([name]) => name);
}
