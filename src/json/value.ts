/**
 * JSON as the API sends it, kept so that Prefect's text forms survive: an integral float such as `1.0` is a {@link Float},
 * an integer beyond 2^53 a bigint. All other numbers are plain numbers.
 */
export type Json = null | boolean | number | bigint | Float | string | readonly Json[] | JsonObject;

export interface JsonObject {
  readonly [key: string]: Json;
}

/** A number that was written with a point or an exponent although its value is integral; Python prints it as `1.0`. */
export class Float {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }

  valueOf(): number {
    return this.value;
  }

  toJSON(): number {
    return this.value;
  }
}

export function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Float);
}
