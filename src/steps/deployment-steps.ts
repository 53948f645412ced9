import { entriesOf, objectOf } from "../json/object.ts";
import { isPythonTruthy, pythonTypeName } from "../json/python.ts";
import { isJsonObject } from "../json/value.ts";
import { StepError } from "./errors.ts";

import type { Json, JsonObject } from "../json/value.ts";

/** One item of a deployment's `pull_steps`, or of a project's `build` or `push`. */
export interface DeploymentStep {
  /** Its place in the list, from 0. */
  readonly index: number;
  /** `prefect.deployments.steps.git_clone` */
  readonly name: string;
  readonly id: Json | undefined;
  readonly requires: readonly string[];
  /** The step's own inputs, without `id` and `requires`. */
  readonly inputs: JsonObject;
  /** All inputs as the deployment has them. */
  readonly written: JsonObject;
}

/** What a list of steps is for: `pull` steps bring a run's code, `build` and `push` steps make a deployment's. */
export type StepKind = "pull" | "build" | "push";

/** Reads `deployment.pull_steps`, or such a list; empty items are left out, but count. Throws a StepError that names the bad item. */
export function readSteps(
  steps: Json,
  kind: StepKind = "pull",
): { readonly items: readonly DeploymentStep[]; readonly total: number } {
  if (!isPythonTruthy(steps)) return { items: [], total: 0 };
  if (!Array.isArray(steps))
    throw bad(`The deployment's ${kind} steps`, `are no list but ${typeText(steps)}`);
  const items = (steps as readonly Json[]).flatMap((item, index) =>
    isPythonTruthy(item) ? [readStep(item, index, { kind, total: steps.length })] : [],
  );
  return { items, total: steps.length };
}

function readStep(
  item: Json,
  index: number,
  { kind, total }: { readonly kind: StepKind; readonly total: number },
): DeploymentStep {
  const where = placeOf(kind, index, total);
  if (!isJsonObject(item)) throw bad(where, `is no mapping but ${typeText(item)}`);
  const [first, ...others] = entriesOf(item);
  if (first === undefined) throw bad(where, "is empty");
  const [name, written] = first;
  if (others.length > 0) {
    throw bad(
      `${where} (${name})`,
      `has additional keys: ${others.map(([key]) => key).join(", ")}`,
      "Each step is a list item of its own; its inputs stand one level deeper.",
    );
  }
  if (!isJsonObject(written)) {
    throw bad(`${where} (${name})`, `has inputs that are no mapping but ${typeText(written)}`);
  }
  const inputs = entriesOf(written).filter(([key]) => key !== "id" && key !== "requires");
  return {
    index,
    name,
    id: written["id"],
    requires: readRequires(written["requires"], `${where} (${name})`),
    inputs: objectOf(inputs),
    written,
  };
}

/** `Pull step 1 of 3`, for messages. */
export function placeOf(kind: StepKind, index: number, total: number): string {
  return `${kind.charAt(0).toUpperCase()}${kind.slice(1)} step ${index + 1} of ${total}`;
}

function readRequires(requires: Json | undefined, where: string): readonly string[] {
  if (!isPythonTruthy(requires)) return [];
  const list: readonly (Json | undefined)[] = Array.isArray(requires) ? requires : [requires];
  const texts = list.filter((item) => typeof item === "string" && item !== "");
  if (texts.length !== list.length) throw bad(where, "has a `requires` that is no text and no list of texts");
  return texts as readonly string[];
}

function typeText(value: Json): string {
  return value === null ? "null" : `a ${pythonTypeName(value)}`;
}

function bad(where: string, problem: string, hint?: string): StepError {
  return new StepError(`${where} ${problem}`, {
    hint:
      hint ??
      "Each step is written as - module.function: {input: value}. Correct the section and deploy again.",
  });
}
