import { entriesOf, objectOf } from "../json/object.ts";
import { isPythonTruthy, pythonTypeName } from "../json/python.ts";
import { isJsonObject } from "../json/value.ts";
import { StepError } from "./errors.ts";

import type { Json, JsonObject } from "../json/value.ts";

/** One item of a deployment's `pull_steps`. */
export interface PullStep {
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

/** Reads `deployment.pull_steps`; empty items are left out, but count. Throws a StepError that names the bad item. */
export function readPullSteps(steps: Json): { readonly items: readonly PullStep[]; readonly total: number } {
  if (!isPythonTruthy(steps)) return { items: [], total: 0 };
  if (!Array.isArray(steps)) throw bad("The deployment's pull steps", `are no list but ${typeText(steps)}`);
  const items = (steps as readonly Json[]).flatMap((item, index) =>
    isPythonTruthy(item) ? [readStep(item, index, steps.length)] : [],
  );
  return { items, total: steps.length };
}

function readStep(item: Json, index: number, total: number): PullStep {
  const where = `Pull step ${index + 1} of ${total}`;
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
      "Each step is written as - module.function: {input: value}. Correct the pull section and deploy again.",
  });
}
