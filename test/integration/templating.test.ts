import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, it } from "vitest";

import {
  applyValues,
  environmentStrings,
  findAllPlaceholders,
  isJsonObject,
  mergeJobConfiguration,
  NOT_SET,
  parseJson,
  prepareName,
  PROCESS_BASE_JOB_TEMPLATE,
  pythonRepr,
  pythonStr,
  resolveBlockReferences,
  resolveVariables,
  stringifyJson,
} from "../../src/templating/index.ts";
import { generatedCases } from "./templating/generated.ts";
import { pickedJobCases } from "./templating/picked-jobs.ts";
import { pickedCases } from "./templating/picked.ts";

import type { Json, JsonObject } from "../../src/templating/index.ts";
import type { TemplatingCase } from "./templating/data.ts";

// Every case goes through the installed Python Prefect and through ours; the results are compared by Python's repr, which
// shows types, number forms and key order, or by the fact of an error.

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PYTHON = process.env["LIGHTERMAN_TEST_PYTHON3"] ?? join(ROOT, ".venvs/prefect3/bin/python");
const SEED = Number(process.env["LIGHTERMAN_TEST_SEED"] ?? 20260801);
const GENERATED = Number(process.env["LIGHTERMAN_TEST_CASES"] ?? 2000);

interface Outcome {
  readonly result: string;
  /** What was read from the API, sorted; undefined after an error. */
  readonly reads?: readonly string[];
}

describe("templating, against the installed Prefect", () => {
  const cases = [...pickedCases(), ...pickedJobCases(), ...generatedCases(SEED, GENERATED)];
  let home = "";
  let answers: readonly JsonObject[] = [];

  beforeAll(async () => {
    if (!existsSync(PYTHON)) return; // the first test says so
    home = await mkdtemp(join(tmpdir(), "lighterman-oracle-"));
    answers = await askPrefect(cases, home);
  });
  afterAll(async () => {
    if (home !== "") await rm(home, { recursive: true, force: true });
  });

  it("finds a Python with Prefect", ({ expect }) => {
    const hint = "set LIGHTERMAN_TEST_PYTHON3 to an interpreter that has prefect 3.8.8";
    expect(existsSync(PYTHON), `no Python with Prefect at ${PYTHON}: ${hint}`).toBe(true);
  });

  it("answers every case as Prefect does", async ({ expect }) => {
    expect(answers.length).toBe(cases.length);
    const differences: object[] = [];
    const counts = new Map<string, number>();
    for (const [index, item] of cases.entries()) {
      const theirs = outcomeOf(answers[index] ?? {});
      const ours = await ourOutcome(item);
      const kind = theirs.result === "error" ? `${item.fn} (refused)` : item.fn;
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
      if (ours.result !== theirs.result || String(ours.reads) !== String(theirs.reads)) {
        differences.push({ index, case: describeCase(item), theirs, prefect: answers[index], ours });
      }
    }
    console.log(
      `templating: ${cases.length} cases compared with Prefect, ${differences.length} differ; seed ${SEED};`,
      [...counts].map(([kind, count]) => `${kind} ${count}`).join(", "),
    );
    expect(differences.slice(0, 10)).toEqual([]);
    expect(cases.length).toBeGreaterThan(GENERATED + 1000);
  });

  it("reads and writes Prefect's JSON without a change", async ({ expect }) => {
    expect(answers.length).toBe(cases.length);
    for (const answer of answers) {
      if (answer["json"] === undefined || answer["no_json"] === true) continue;
      expect(pythonRepr(parseJson(stringifyJson(answer["json"])))).toBe(answer["repr"]);
    }
  });
});

/** Runs the oracle once over all cases. */
async function askPrefect(cases: readonly TemplatingCase[], home: string): Promise<readonly JsonObject[]> {
  const script = fileURLToPath(new URL("templating/oracle.py", import.meta.url));
  const env = {
    PATH: process.env["PATH"],
    HOME: home,
    PREFECT_HOME: home,
    PYTHONUTF8: "1",
    PREFECT_LOGGING_LEVEL: "ERROR",
  };
  const child = spawn(PYTHON, [script], { env, stdio: ["pipe", "pipe", "pipe"] });
  const output: Buffer[] = [];
  const complaints: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => complaints.push(chunk));
  child.stdin.on("error", () => {}); // the exit code tells
  child.stdin.end(cases.map((item) => `${stringifyJson(item)}\n`).join(""));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) throw new Error(`the oracle ended with ${code}: ${Buffer.concat(complaints).toString()}`);
  const lines = Buffer.concat(output).toString().trimEnd().split("\n");
  return lines.map((line) => parseJson(line) as JsonObject);
}

function outcomeOf(answer: JsonObject): Outcome {
  if (answer["error"] !== undefined) return { result: "error" };
  const reads = (answer["reads"] as readonly string[]).filter((key) => key !== "" && !/^\/|\/$/.test(key));
  return {
    result: answer["not_set"] === true ? "NOT_SET" : pythonStr(answer["repr"] ?? null),
    reads: reads.sort(),
  };
}

async function ourOutcome(item: TemplatingCase): Promise<Outcome> {
  const reads: string[] = [];
  try {
    const result = await ourAnswer(item, reads);
    return { result: result === NOT_SET ? "NOT_SET" : pythonRepr(result), reads: reads.sort() };
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "TemplateError") throw error;
    return { result: "error" };
  }
}

async function ourAnswer(item: TemplatingCase, reads: string[]): Promise<Json | typeof NOT_SET> {
  const template = item["template"] ?? null;
  const env = objectAt(item, "env") as Readonly<Record<string, string>>;
  const lookup = {
    block: async (typeSlug: string, name: string) => read("blocks", `${typeSlug}/${name}`),
    blockById: async (documentId: string) => read("blocks", documentId),
    variable: async (name: string) => read("variables", name),
  };
  function read(from: string, key: string): Json | undefined {
    reads.push(key);
    const known = objectAt(item, from);
    return Object.hasOwn(known, key) ? known[key] : undefined;
  }
  switch (item.fn) {
    case "find":
      return sortByText(
        findAllPlaceholders(template).map(({ text, name, kind }) => [text, name, KINDS[kind]]),
      );
    case "apply":
      return applyValues(template, objectAt(item, "values"), {
        env,
        removeNotset: item["remove_notset"] !== false,
        skipPrefixes: (item["skip_prefixes"] ?? []) as readonly string[],
      });
    case "blocks":
      return await resolveBlockReferences(template, lookup);
    case "variables":
      return await resolveVariables(template, lookup);
    case "job": {
      const { configuration } = mergeJobConfiguration({
        baseJobTemplate: objectAt(item, "base"),
        deploymentJobVariables: item["deployment"] as JsonObject | null,
        flowRunJobVariables: item["run"] as JsonObject | null,
        env,
      });
      return await resolveVariables(await resolveBlockReferences(configuration, lookup), lookup);
    }
    case "env":
      return environmentStrings(template);
    case "name":
      return prepareName(template, {
        flow: objectAt(item, "flow"),
        flowRun: objectAt(item, "flow_run"),
        env,
      });
    case "repr":
      return template;
    case "process-template":
      return PROCESS_BASE_JOB_TEMPLATE;
    default:
      throw new Error(`unknown function ${item.fn}`);
  }
}

const KINDS = {
  standard: "standard",
  block: "block_document",
  variable: "variable",
  env: "env_var",
} as const;

function sortByText(found: readonly (readonly [string, string, string])[]): Json {
  const codePoints = (text: string): string => Buffer.from(text, "utf8").toString("latin1");
  return found.toSorted(([a], [b]) => (codePoints(a) < codePoints(b) ? -1 : 1));
}

function objectAt(item: JsonObject, key: string): JsonObject {
  const value = item[key];
  return isJsonObject(value) ? value : {};
}

/** Without what is the same in every case. */
function describeCase(item: TemplatingCase): string {
  const shown = ["fn", "template", "base", "deployment", "run", "remove_notset", "skip_prefixes"];
  return stringifyJson(Object.fromEntries(Object.entries(item).filter(([key]) => shown.includes(key))));
}
