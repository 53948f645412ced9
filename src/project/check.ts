import { coerceError } from "../errors.ts";
import { entriesOf } from "../json/object.ts";
import { isPythonTruthy } from "../json/python.ts";
import { isJsonObject } from "../json/value.ts";
import { findPlaceholders } from "../templating/placeholders.ts";
import { closest } from "./closest.ts";
import { FlowReader } from "./flow-reader.ts";
import { pathText } from "./problem.ts";
import { stepOf } from "./prefect-file.ts";
import { checkTimes, scheduleBody } from "./schedules.ts";
import { readTrigger } from "./triggers.ts";

import type { Json, JsonObject } from "../json/value.ts";
import type { FlowReaderOptions } from "./flow-reader.ts";
import type { Declaration, PrefectFile, Steps } from "./prefect-file.ts";
import type { Problem } from "./problem.ts";
import type { Path } from "./yaml-source.ts";

/** The interpreter is asked for only when the file names entrypoints. */
export type CheckOptions = Omit<FlowReaderOptions, "sourceOnly">;

export interface CheckResult {
  readonly errors: readonly Problem[];
  readonly warnings: readonly Problem[];
}

/**
 * Looks at a sound prefect.yaml without a server and without running anything of the project: schedules, triggers, entrypoints and their functions,
 * references to steps. What only a server knows (pools, blocks, variables) is not looked at.
 */
export async function checkProject(file: PrefectFile, options: CheckOptions): Promise<CheckResult> {
  const checker = new Checker(file);
  for (const declaration of file.declarations) {
    checker.schedules(declaration);
    checker.triggers(declaration);
    checker.references(declaration);
  }
  checker.names();
  await checker.entrypoints(options);
  return {
    errors: checker.errors.toSorted(byPlace),
    warnings: [...file.warnings, ...checker.warnings].toSorted(byPlace),
  };
}

class Checker {
  readonly errors: Problem[] = [];
  readonly warnings: Problem[] = [];
  readonly #file: PrefectFile;

  constructor(file: PrefectFile) {
    this.#file = file;
  }

  schedules({ index, fields }: Declaration): void {
    const legacy = fields["schedule"];
    const listed = Array.isArray(fields["schedules"]) ? (fields["schedules"] as readonly Json[]) : [];
    const places: readonly [Path, Json][] = [
      ...(isPythonTruthy(legacy)
        ? [[["deployments", index, "schedule"], legacy ?? null] as [Path, Json]]
        : []),
      ...listed.map((item, at): [Path, Json] => [["deployments", index, "schedules", at], item]),
    ];
    for (const [path, item] of places) {
      if (!isJsonObject(item) || hasTemplate(item)) continue;
      try {
        checkTimes(scheduleBody(item)["schedule"] ?? null);
      } catch (thrown) {
        this.#error(path, coerceError(thrown).message);
      }
    }
  }

  triggers({ index, fields }: Declaration): void {
    const triggers = Array.isArray(fields["triggers"]) ? (fields["triggers"] as readonly Json[]) : [];
    for (const [at, item] of triggers.entries()) {
      if (!isJsonObject(item) || hasTemplate({ ...item, parameters: null })) continue;
      try {
        readTrigger(item, "");
      } catch (thrown) {
        this.#error(["deployments", index, "triggers", at], coerceError(thrown).message);
      }
    }
  }

  /** `{{ step.field }}` has to name a step that runs before it is filled. */
  references(declaration: Declaration): void {
    const { actions } = this.#file;
    const { index } = declaration;
    const place = (key: "build" | "push" | "pull"): { readonly steps: Steps; readonly path: Path } =>
      key in declaration && declaration[key] !== null
        ? { steps: declaration[key] ?? [], path: ["deployments", index, key] }
        : { steps: key in declaration && key !== "pull" ? [] : (actions[key] ?? []), path: [key] };
    const known = new Set<string>();
    for (const key of ["build", "push"] as const) this.#steps(place(key), known);
    for (const [key, value] of entriesOf(declaration.fields)) {
      this.#values(value, ["deployments", index, key], known);
    }
    this.#steps(place("pull"), new Set(known));
  }

  /** The server knows a deployment by its flow and name, so two of one name and entrypoint are one. */
  names(): void {
    const seen = new Map<string, number>();
    for (const { index, fields } of this.#file.declarations) {
      const { name, entrypoint } = fields;
      if (typeof name !== "string") continue;
      const key = `${name} ${typeof entrypoint === "string" ? entrypoint : ""}`;
      const first = seen.get(key);
      if (first === undefined) seen.set(key, index);
      else
        this.#warn(
          ["deployments", index, "name"],
          `'${name}' is declared by deployments[${first}] too; the later one wins`,
        );
    }
  }

  async entrypoints(options: CheckOptions): Promise<void> {
    const places = this.#file.declarations.flatMap(({ index, fields }): [Path, string][] => {
      const { entrypoint } = fields;
      return typeof entrypoint === "string" && !hasTemplate(entrypoint)
        ? [[["deployments", index, "entrypoint"], entrypoint]]
        : [];
    });
    if (places.length === 0) return;
    const entrypoints = places.map(([, entrypoint]) => entrypoint);
    await using reader = new FlowReader({ ...options, sourceOnly: true });
    const flows = await reader.read(entrypoints);
    for (const [path, entrypoint] of places) {
      const flow = flows.get(entrypoint);
      if (flow instanceof Error) this.#error(path, flow.message);
    }
  }

  #steps({ steps, path }: { readonly steps: Steps; readonly path: Path }, known: Set<string>): void {
    for (const [at, step] of steps.entries()) {
      const { name, inputs, id } = stepOf(step);
      this.#values(inputs, [...path, at, name], known);
      if (id !== undefined) known.add(id);
    }
  }

  #values(value: Json, path: Path, known: ReadonlySet<string>): void {
    if (Array.isArray(value)) value.forEach((item: Json, at) => this.#values(item, [...path, at], known));
    else if (isJsonObject(value))
      for (const [key, item] of entriesOf(value)) this.#values(item, [...path, key], known);
    else if (typeof value === "string") this.#text(value, path, known);
  }

  #text(text: string, path: Path, known: ReadonlySet<string>): void {
    for (const { name, kind, text: placeholder } of findPlaceholders(text)) {
      const [id = "", ...rest] = name.split(/[.[]/);
      // Triggers' parameters are filled from their events; `ctx` is the worker's.
      if (kind !== "standard" || rest.length === 0 || id === "ctx" || path.includes("triggers")) continue;
      if (known.has(id)) continue;
      const near = closest(id, known);
      const hint =
        near !== undefined
          ? `do you mean ${near}?`
          : known.size > 0
            ? `the steps before it are ${[...known].join(", ")}`
            : "no step before it has an id";
      this.#error(path, `${placeholder} refers to no step; ${hint}`);
    }
  }

  #error(path: Path, message: string): void {
    const found = this.#problem(path, message);
    // Shared sections are looked at once for each deployment.
    const isKnown = this.errors.some((error) => error.path === found.path && error.message === message);
    if (!isKnown) this.errors.push(found);
  }

  #warn(path: Path, message: string): void {
    this.warnings.push(this.#problem(path, message));
  }

  #problem(path: Path, message: string): Problem {
    const { source } = this.#file;
    return { file: source.file, position: source.positionOf(path), path: pathText(path), message };
  }
}

function hasTemplate(value: Json | JsonObject): boolean {
  return JSON.stringify(value, (_, item: unknown) =>
    typeof item === "bigint" ? String(item) : item,
  ).includes("{{");
}

function byPlace(a: Problem, b: Problem): number {
  return (
    (a.position?.line ?? 0) - (b.position?.line ?? 0) || (a.position?.column ?? 0) - (b.position?.column ?? 0)
  );
}
