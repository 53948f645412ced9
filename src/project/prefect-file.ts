import { readFile } from "node:fs/promises";

import { coerceError } from "../errors.ts";
import { entriesOf, objectOf } from "../json/object.ts";
import { pythonStr, pythonTypeName } from "../json/python.ts";
import { Float, isJsonObject } from "../json/value.ts";
import { closest } from "./closest.ts";
import { pathText, ProjectError } from "./problem.ts";
import { DEPLOYMENT_FIELDS, knownKeys, prefectYaml } from "./schema.ts";
import { parseYaml } from "./yaml-source.ts";

import type { Json, JsonObject } from "../json/value.ts";
import type { Problem } from "./problem.ts";
import type { Path, YamlSource } from "./yaml-source.ts";

/** `build`, `push` and `pull`: absent when the key is; null when it is null. */
export interface Actions {
  readonly build?: Steps | null;
  readonly push?: Steps | null;
  readonly pull?: Steps | null;
}

/** Each a mapping of one key, the step's name, to its inputs. */
export type Steps = readonly JsonObject[];

/** One item of `deployments`: its known keys, as written, before any template is filled. */
export interface Declaration extends Actions {
  /** Its place in the list, from 0. */
  readonly index: number;
  readonly fields: JsonObject;
}

/** A prefect.yaml that is sound in itself. */
export interface PrefectFile {
  readonly source: YamlSource;
  readonly name: string | null;
  readonly actions: Actions;
  readonly declarations: readonly Declaration[];
  /** What was left out or looks like a slip; each is worth a line to the user. */
  readonly warnings: readonly Problem[];
}

const ACTIONS = ["build", "push", "pull"] as const;
const STEP_RESERVED: ReadonlySet<string> = new Set(["id", "requires"]);

/**
 * Reads a prefect.yaml whole: all that is wrong in it is told at once, with line and column (Prefect leaves the whole file out instead).
 * `file` is its name as the user gave it, and the path that is read. Throws a ProjectError.
 */
export async function readPrefectFile(path: string, file: string = path): Promise<PrefectFile> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (thrown) {
    const { code, message } = coerceError(thrown) as NodeJS.ErrnoException;
    const why =
      code === "ENOENT" ? "there is no such file" : code === "EISDIR" ? "this is a directory" : message;
    throw new ProjectError(
      [{ file, path: "", message: why }],
      "`lighterman init` writes one; --prefect-file names another.",
      thrown,
    );
  }
  return parsePrefectFile(bytes, file);
}

/** Reads a prefect.yaml that is in memory; see {@link readPrefectFile}. */
export function parsePrefectFile(bytes: Uint8Array, file: string): PrefectFile {
  const source = parseYaml(bytes, file);
  const { value } = source;
  if (!isJsonObject(value)) {
    const found = value === null ? "it is empty" : `it is ${typeText(value)}`;
    throw new ProjectError([
      {
        file,
        position: { line: 1, column: 1 },
        path: "",
        message: `the file must be a mapping with keys such as \`deployments\`, but ${found}`,
      },
    ]);
  }
  const problems = [
    ...schemaProblems(source, value),
    ...dateProblems(source, value),
    ...legacyScheduleProblems(source, value),
  ];
  if (problems.length > 0) {
    throw new ProjectError(
      problems.toSorted(byPosition),
      "Nothing was registered. `lighterman project check` looks at the file without a server.",
    );
  }
  const declared = value["deployments"];
  const declarations = Array.isArray(declared) ? (declared as readonly JsonObject[]) : [];
  return {
    source,
    name: typeof value["name"] === "string" ? value["name"] : null,
    actions: actionsOf(value),
    declarations: declarations.map((raw, index) => ({
      index,
      fields: fieldsOf(source, raw, index),
      ...actionsOf(raw),
    })),
    warnings: [...source.warnings, ...unknownKeys(source, value)],
  };
}

function actionsOf(raw: JsonObject): Actions {
  const actions: Record<string, Steps | null> = {};
  for (const key of ACTIONS) {
    const steps = raw[key];
    if (steps === undefined) continue;
    // One step may stand without a list around it; an empty mapping is as good as an empty list.
    if (isJsonObject(steps)) actions[key] = Object.keys(steps).length === 0 ? [] : [steps];
    else actions[key] = steps as Steps | null;
  }
  return actions;
}

/** The known keys but for the actions, with what this project reads otherwise than Prefect (README, "prefect.yaml"). */
function fieldsOf(source: YamlSource, raw: JsonObject, index: number): JsonObject {
  const fields = entriesOf(raw).flatMap(([key, value]): [string, Json][] => {
    if (!Object.hasOwn(DEPLOYMENT_FIELDS, key) || (ACTIONS as readonly string[]).includes(key)) return [];
    if ((key === "tags" || key === "work_pool" || key === "triggers") && value === null) return [];
    if (TEXTS.has(key) && isNumber(value)) return [[key, source.textOf(["deployments", index, key]) ?? null]];
    return [[key, value]];
  });
  return objectOf(fields);
}

// A number is meant as text there: `version: 1.0` is "1.0".
const TEXTS: ReadonlySet<string> = new Set(["version", "name"]);

interface Issue {
  readonly code: string;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly errors?: readonly (readonly Issue[])[];
  readonly expected?: string;
  readonly keys?: readonly string[];
  readonly values?: readonly unknown[];
}

function schemaProblems(source: YamlSource, value: JsonObject): Problem[] {
  const checked = prefectYaml.safeParse(forCheck(value, []));
  if (checked.success) return [];
  return checked.error.issues.flatMap((issue) => problemsOf(source, value, issue as Issue, []));
}

/** Plain numbers, and texts where numbers are taken for texts. */
function forCheck(value: Json, path: Path): unknown {
  const key = path[2];
  if (path[0] === "deployments" && path.length === 3 && TEXTS.has(String(key)) && isNumber(value)) return "";
  if (Array.isArray(value)) return value.map((item: Json, index) => forCheck(item, [...path, index]));
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(entriesOf(value).map(([name, item]) => [name, forCheck(item, [...path, name])]));
}

function problemsOf(source: YamlSource, root: Json, issue: Issue, above: Path): Problem[] {
  const path: Path = [...above, ...(issue.path as Path)];
  const found = valueAt(root, path);
  if (issue.code === "invalid_union") {
    const branch = issue.errors?.find((errors) =>
      errors.every(({ path: at, code }) => code !== "invalid_type" || at.length > 0),
    );
    if (branch !== undefined && branch.length > 0)
      return branch.flatMap((inner) => problemsOf(source, root, inner, path));
    return [problemAt(source, path, `expected ${expectedHere(path)}, but this is ${typeText(found)}`)];
  }
  if (issue.code === "unrecognized_keys") {
    return (issue.keys ?? []).map((key) => problemAt(source, [...path, key], unknownKey(key, path)));
  }
  if (issue.code === "invalid_type") {
    return [
      problemAt(
        source,
        path,
        `expected ${TYPE_NAMES[issue.expected ?? ""] ?? issue.message}, but this is ${typeText(found)}`,
      ),
    ];
  }
  if (issue.code === "invalid_value") {
    return [
      problemAt(
        source,
        path,
        `expected one of ${(issue.values ?? []).join(", ")}, but this is ${show(found)}`,
      ),
    ];
  }
  const isWhole = typeof found === "object" && found !== null;
  return [
    problemAt(
      source,
      path,
      isWhole ? `expected ${issue.message}` : `expected ${issue.message}, but this is ${show(found)}`,
    ),
  ];
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list (items begin with `- `)",
  object: "a mapping (key: value)",
  record: "a mapping (key: value)",
};

function expectedHere(path: Path): string {
  switch (path.findLast((part) => typeof part === "string")) {
    case "concurrency_limit":
      return "a number of runs, or a mapping with limit, collision_strategy and grace_period_seconds";
    case "tags":
      return "a list of texts, or a template that gives one";
    case "interval":
      return "a number of seconds, HH:MM:SS or an ISO 8601 duration";
    case "active":
    case "day_or":
      return "true or false, or a template";
    case "schedule":
      return "a schedule with one of cron, interval and rrule";
    case "build":
    case "push":
    case "pull":
      return "a list of steps";
    default:
      return "something else";
  }
}

function problemAt(source: YamlSource, path: Path, message: string): Problem {
  const { file } = source;
  return { file, position: source.positionOf(path), path: pathText(path), message };
}

/** A date cannot be an input of a step: nothing says how it is to be written. */
function dateProblems(source: YamlSource, value: JsonObject): Problem[] {
  const problems: Problem[] = [];
  const look = (item: Json, path: Path): void => {
    if (typeof item === "string" && source.isDate(path)) {
      problems.push({
        file: source.file,
        position: source.positionOf(path),
        path: pathText(path),
        message: `${item} without quotes is a date to YAML, which no step takes; put it in quotes`,
      });
    } else if (Array.isArray(item)) {
      item.forEach((inner: Json, index) => look(inner, [...path, index]));
    } else if (isJsonObject(item)) {
      for (const [key, inner] of entriesOf(item)) look(inner, [...path, key]);
    }
  };
  for (const key of ACTIONS) {
    look(value[key] ?? null, [key]);
    const deployments = value["deployments"];
    if (!Array.isArray(deployments)) continue;
    deployments.forEach((item: Json, index) => {
      if (isJsonObject(item)) look(item[key] ?? null, ["deployments", index, key]);
    });
  }
  return problems;
}

function legacyScheduleProblems(source: YamlSource, value: JsonObject): Problem[] {
  const deployments = value["deployments"];
  if (!Array.isArray(deployments)) return [];
  return deployments.flatMap((item: Json, index) => {
    if (!isJsonObject(item) || item["schedules"] === undefined) return [];
    const legacy = item["schedule"];
    const isGiven = isJsonObject(legacy) && Object.keys(legacy).length > 0;
    const message = "`schedule` and `schedules` stand side by side; put all of them below `schedules`";
    const path: Path = ["deployments", index, "schedule"];
    return isGiven
      ? [{ file: source.file, position: source.positionOf(path), path: pathText(path), message }]
      : [];
  });
}

function unknownKeys(source: YamlSource, value: JsonObject): Problem[] {
  const warnings: Problem[] = [];
  const look = (item: Json, path: Path): void => {
    if (Array.isArray(item)) item.forEach((inner: Json, index) => look(inner, [...path, index]));
    if (!isJsonObject(item)) return;
    const known = knownKeys(path);
    if (path.length > 3) return;
    for (const [key, inner] of entriesOf(item)) {
      if (known !== undefined && !known.has(key)) {
        const position = source.positionOf([...path, key]);
        warnings.push({
          file: source.file,
          position,
          path: pathText([...path, key]),
          message: unknownKey(key, path),
        });
      }
      if (path.length > 0 || key === "deployments") look(inner, [...path, key]);
    }
  };
  look(value, []);
  return warnings;
}

function unknownKey(key: string, path: Path): string {
  const known = knownKeys(path) ?? new Set<string>();
  const near = closest(key, known);
  const rest = near === undefined ? `known are ${[...known].join(", ")}` : `do you mean ${near}?`;
  return `the key '${key}' is not known here; ${rest}`;
}

/** The step's name, and its inputs without what is the runner's own. */
export function stepOf(step: JsonObject): {
  readonly name: string;
  readonly inputs: JsonObject;
  readonly id: string | undefined;
} {
  const [entry] = entriesOf(step);
  const [name, written] = entry ?? ["", {}];
  const all = isJsonObject(written) ? written : {};
  const inputs = objectOf(entriesOf(all).filter(([key]) => !STEP_RESERVED.has(key)));
  return { name, inputs, id: typeof all["id"] === "string" ? all["id"] : undefined };
}

function valueAt(root: Json, path: Path): Json {
  let value: Json | undefined = root;
  for (const part of path) {
    if (Array.isArray(value) && typeof part === "number") value = (value as readonly Json[])[part];
    else if (isJsonObject(value)) value = value[String(part)];
    else return null;
  }
  return value ?? null;
}

function byPosition(a: Problem, b: Problem): number {
  return (
    (a.position?.line ?? 0) - (b.position?.line ?? 0) || (a.position?.column ?? 0) - (b.position?.column ?? 0)
  );
}

function isNumber(value: Json): boolean {
  return typeof value === "number" || typeof value === "bigint" || value instanceof Float;
}

const NAMES: Readonly<Record<string, string>> = {
  NoneType: "empty",
  str: "a text",
  int: "a number",
  float: "a number",
  bool: "true or false",
  list: "a list",
  dict: "a mapping",
};

function typeText(value: Json): string {
  const name = NAMES[pythonTypeName(value)] ?? "something else";
  const isShort = value !== null && typeof value !== "object";
  return isShort ? `${name} (${show(value)})` : name;
}

function show(value: Json): string {
  const text = typeof value === "string" ? `'${value}'` : pythonStr(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
