import { isPythonTruthy, pythonTypeName } from "../json/python.ts";
import { isJsonObject } from "../json/value.ts";
import { StepError } from "./errors.ts";

import type { Json, JsonObject } from "../json/value.ts";

/** Reads the inputs of a step that the worker runs itself, as strictly as Python's call of the step's function would. */
export class StepInputs {
  readonly #step: string;
  readonly #inputs: JsonObject;

  /** Throws a StepError when an input is none of `names`. */
  constructor(step: string, inputs: JsonObject, names: readonly string[]) {
    this.#step = step;
    this.#inputs = inputs;
    const unknown = Object.keys(inputs).filter((name) => !names.includes(name));
    if (unknown.length === 0) return;
    throw new StepError(`${step} takes no input '${unknown.join("', '")}'`, {
      hint: `Its inputs are ${names.join(", ")}.`,
    });
  }

  text(name: string): string {
    const value = this.#inputs[name];
    if (typeof value === "string") return value;
    if (value !== undefined) throw this.#wrongType(name, "a text", value);
    throw new StepError(`${this.#step} lacks its input '${name}'`, {
      hint: "Give it in the deployment's pull section. A template such as {{ id.stdout }} without a value drops its input.",
    });
  }

  /** Null when it is absent or null. */
  optionalText(name: string): string | null {
    return (this.#inputs[name] ?? null) === null ? null : this.text(name);
  }

  /** A text of one or more lines, or a list of texts; empty when it is absent or null. */
  lines(name: string): readonly string[] {
    const value = this.#inputs[name] ?? null;
    if (value === null) return [];
    const items: readonly Json[] = Array.isArray(value) ? value : [value];
    const texts = items.map((item) => {
      if (typeof item !== "string") throw this.#wrongType(name, "a text or a list of texts", item);
      return item.split("\n").map((line) => line.trim());
    });
    return texts.flat().filter((line) => line !== "");
  }

  /** By Python's truth: an empty text is false, any other text is true. */
  flag(name: string, fallback: boolean): boolean {
    return name in this.#inputs ? isPythonTruthy(this.#inputs[name]) : fallback;
  }

  /** A mapping of texts; empty when it is absent or empty. */
  texts(name: string): Record<string, string> {
    const value = this.#inputs[name];
    if (!isPythonTruthy(value) || value === undefined) return {};
    if (!isJsonObject(value)) throw this.#wrongType(name, "a mapping", value);
    const texts: Record<string, string> = {};
    for (const [key, item] of Object.entries(value)) {
      if (typeof item !== "string") throw this.#wrongType(`${name}.${key}`, "a text", item);
      texts[key] = item;
    }
    return texts;
  }

  #wrongType(name: string, expected: string, value: Json): StepError {
    const actual = value === null ? "null" : pythonTypeName(value);
    return new StepError(`The input '${name}' of ${this.#step} must be ${expected}, not ${actual}`, {
      hint: expected.startsWith("a text") ? "Put the value in quotes." : "Write it as key: value pairs.",
    });
  }
}
