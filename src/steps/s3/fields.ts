import { pythonStr, pythonTypeName } from "../../json/python.ts";
import { ownValue } from "../../json/object.ts";
import { Float, isJsonObject } from "../../json/value.ts";
import { StepError } from "../errors.ts";

import type { Json, JsonObject } from "../../json/value.ts";

/** Reads one mapping of the step's inputs; errors name the field, never its value. Null counts as absent. */
export class Fields {
  /** Where the mapping stands in the inputs, such as `credentials.aws_client_parameters`. */
  readonly path: string;
  readonly #values: JsonObject;

  constructor(path: string, values: JsonObject) {
    this.path = path;
    this.#values = values;
  }

  static of(path: string, value: Json | undefined): Fields {
    if (value === undefined || value === null || value === "") return new Fields(path, {});
    if (isJsonObject(value)) return new Fields(path, value);
    throw new StepError(`${path} must be a mapping, not ${pythonTypeName(value)}`, {
      hint: "Give the fields themselves, or a whole block such as {{ prefect.blocks.aws-credentials.NAME }}.",
    });
  }

  /** Whether the key is there at all, be it null. */
  has(key: string): boolean {
    return Object.hasOwn(this.#values, key);
  }

  value(key: string): Json | undefined {
    return ownValue(this.#values, key);
  }

  /** An empty text counts as absent, as botocore takes it. */
  text(key: string): string | undefined {
    const value = this.value(key) ?? undefined;
    if (value === undefined || value === "") return undefined;
    if (typeof value === "string") return value;
    throw this.#wrongType(key, "a text", value);
  }

  flag(key: string): boolean | undefined {
    const value = this.value(key) ?? undefined;
    if (value === undefined || typeof value === "boolean") return value;
    if (value === "true" || value === "false") return value === "true";
    throw this.#wrongType(key, "true or false", value);
  }

  number(key: string): number | undefined {
    const value = this.value(key) ?? undefined;
    if (value === undefined) return undefined;
    const isNumber = ["number", "bigint"].includes(typeof value) || value instanceof Float;
    const number = isNumber || typeof value === "string" ? Number(pythonStr(value)) : Number.NaN;
    if (Number.isNaN(number)) throw this.#wrongType(key, "a number", value);
    return number;
  }

  object(key: string): JsonObject | undefined {
    const value = this.value(key);
    return isJsonObject(value) ? value : undefined;
  }

  /** The mapping under the key; an empty one when it is absent. */
  fields(key: string): Fields {
    return Fields.of(`${this.path}.${key}`, this.value(key));
  }

  #wrongType(key: string, expected: string, value: Json): StepError {
    return new StepError(`${this.path}.${key} must be ${expected}, not ${pythonTypeName(value)}`);
  }
}
