import { Float } from "../../json/value.ts";
import { Callable, UNDEFINED, isMapping, isNumber, numberOf } from "./value.ts";

import type { Value } from "./value.ts";

/** What may stand behind `is`. */
export const TESTS: Readonly<Record<string, (value: Value) => boolean>> = {
  defined: (value) => value !== UNDEFINED,
  undefined: (value) => value === UNDEFINED,
  none: (value) => value === null,
  None: (value) => value === null,
  boolean: (value) => typeof value === "boolean",
  true: (value) => value === true,
  false: (value) => value === false,
  string: (value) => typeof value === "string",
  number: (value) => isNumber(value),
  integer: (value) => typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value)),
  float: (value) => value instanceof Float || (typeof value === "number" && !Number.isInteger(value)),
  mapping: (value) => isMapping(value),
  sequence: (value) => typeof value === "string" || Array.isArray(value) || isMapping(value),
  iterable: (value) => typeof value === "string" || Array.isArray(value) || isMapping(value),
  callable: (value) => value instanceof Callable,
  odd: (value) => Math.abs(numberOf(value)) % 2 === 1,
  even: (value) => numberOf(value) % 2 === 0,
};
