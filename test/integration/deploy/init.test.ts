import { execFileSync } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, it } from "vitest";

import { RECIPES } from "../../../src/project/recipes.ts";
import { parseYaml } from "../../../src/project/yaml-source.ts";
import { Oracle, runLighterman } from "./commands.ts";

import type { Ran } from "./commands.ts";

let oracle: Oracle;

beforeAll(async () => {
  oracle = await Oracle.start();
});

afterAll(() => oracle[Symbol.asyncDispose]());

const FIELDS = { image_name: "registry.example/team/app", tag: "v1", bucket: "b", container: "c" };

/** Words of `init`, and what is in the directory before. */
interface Case {
  readonly name: string;
  readonly args: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
  /** Commands of git. */
  readonly git?: readonly (readonly string[])[];
}

const REMOTE = [
  ["init", "-q", "-b", "develop"],
  ["remote", "add", "origin", "https://git.example/team/flows.git"],
] as const;

/** A first commit: without one a branch has no name. */
const COMMITTED = [
  ...REMOTE,
  ["-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "--allow-empty", "-m", "First"],
] as const;

const CASES: readonly Case[] = [
  ...RECIPES.map(({ name, required }) => ({
    name: `recipe ${name}`,
    args: [
      "--recipe",
      name,
      ...Object.entries(FIELDS)
        .filter(([field]) => field in required)
        .flatMap(([field, value]) => ["--field", `${field}=${value}`]),
    ],
    ...(name.includes("git") ? { git: COMMITTED } : {}),
  })),
  { name: "a guess: nothing here", args: [] },
  { name: "a guess: a git remote and a branch", args: [], git: COMMITTED },
  { name: "a guess: a git remote without a commit", args: [], git: REMOTE },
  { name: "a guess: a git repository without a remote", args: [], git: REMOTE.slice(0, 1) },
  { name: "a guess: a Dockerfile", args: [], files: { Dockerfile: "FROM x\n" } },
  {
    name: "a guess: a git remote and a Dockerfile",
    args: [],
    files: { Dockerfile: "FROM x\n" },
    git: COMMITTED,
  },
  {
    name: "a Dockerfile with a recipe",
    args: ["--recipe", "docker", "-f", "image_name=a", "-f", "tag=b"],
    files: { Dockerfile: "FROM x\n" },
  },
  { name: "a name of its own", args: ["--name", "Our flows"] },
  {
    name: "a field that the recipe has no use for",
    args: ["--recipe", "s3", "-f", "bucket=b", "-f", "other=x"],
  },
  {
    name: "fields that stand for what is guessed",
    args: ["--recipe", "local", "-f", "directory=/srv/flows"],
  },
  { name: "a value with = in it", args: ["--recipe", "s3", "-f", "bucket=a=b"] },
  { name: "git without a remote", args: ["--recipe", "git"] },
  { name: "an unknown recipe", args: ["--recipe", "nfs"] },
  { name: "an unknown flag", args: ["--recipes", "s3"] },
  {
    name: "both files are there",
    args: [],
    files: { "prefect.yaml": "name: ours\n", ".prefectignore": "x\n" },
  },
  { name: "prefect.yaml is there", args: [], files: { "prefect.yaml": "name: ours\n" } },
];

interface Result {
  readonly ran: Ran;
  readonly project: unknown;
  readonly ignored: readonly string[] | undefined;
}

async function run(who: "theirs" | "ours", { args, files = {}, git = [] }: Case): Promise<Result> {
  // The directory's name is part of what is written.
  const directory = join(oracle.directory, who, "project");
  await mkdir(directory, { recursive: true });
  execFileSync("find", [directory, "-mindepth", "1", "-delete"]);
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  for (const words of git) execFileSync("git", words, { cwd: directory, stdio: "ignore" });
  const words = ["init", ...args];
  const ran =
    who === "theirs"
      ? await oracle.run(directory, ["--no-prompt", ...words])
      : await runLighterman(directory, words, oracle.env);
  const text = await textOf(join(directory, "prefect.yaml"));
  const ignored = await textOf(join(directory, ".prefectignore"));
  const neutral = text?.replaceAll(directory, "DIRECTORY");
  return {
    ran,
    project: neutral === undefined ? undefined : parseYaml(Buffer.from(neutral), "prefect.yaml").value,
    ignored: ignored?.split("\n").filter((line) => line !== "" && !line.startsWith("#")),
  };
}

async function textOf(path: string): Promise<string | undefined> {
  return await readFile(path, "utf8").catch(() => undefined);
}

describe("`lighterman init` writes what `prefect init` writes", () => {
  it.for(CASES)("$name", async (each, { expect }) => {
    const [expected, found] = await Promise.all([run("theirs", each), run("ours", each)]);
    expect(found.ran.code, found.ran.output).toBe(expected.ran.code);
    expect(found.project).toEqual(repaired(expected.project));
    expect(found.ignored === undefined).toBe(expected.ignored === undefined);
    expect(found.ignored ?? []).toEqual(expect.arrayContaining([...(expected.ignored ?? [])]));
    // Names of new files are told in the same order.
    expect(newFiles(found.ran)).toEqual(newFiles(expected.ran));
  });
});

function newFiles({ output }: Ran): readonly string[] {
  return output.split("\n").filter((line) => line === ".prefectignore" || line === "prefect.yaml");
}

/** Prefect's recipe for gcs refers to a step that runs later, so that its folder is never filled. */
function repaired(project: unknown): unknown {
  const text = JSON.stringify(project ?? null).replace(
    /("pull_code","requires":"prefect-gcp[^}]*\{\{ push_code\.bucket \}\}","folder":"\{\{) pull_code/,
    "$1 push_code",
  );
  return project === undefined ? undefined : JSON.parse(text);
}
