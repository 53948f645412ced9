import { isDeepStrictEqual } from "node:util";

import { Float } from "../../json/value.ts";
import { UNDEFINED, asFloat, isMapping, isNumber, itemsOf, jsonOf, numberOf, textOfValue } from "./value.ts";

import type { Value } from "./value.ts";

const MAX_TEXT = 1_000_000;

/** The result of an operator, as Python has it. Throws for values that it cannot be used on. */
export function compute(operator: string, left: Value, right: Value): Value {
  switch (operator) {
    case "==":
      return isEqual(left, right);
    case "!=":
      return !isEqual(left, right);
    case "<":
      return compare(left, right) < 0;
    case "<=":
      return compare(left, right) <= 0;
    case ">":
      return compare(left, right) > 0;
    case ">=":
      return compare(left, right) >= 0;
    case "in":
      return contains(right, left);
    case "not in":
      return !contains(right, left);
    case "~":
      return textOfValue(left) + textOfValue(right);
    case "+":
      if (typeof left === "string" && typeof right === "string") return left + right;
      if (Array.isArray(left) && Array.isArray(right)) return [...itemsOf(left), ...itemsOf(right)];
      return calculate(operator, left, right);
    case "*":
      if (typeof left === "string") return left.repeat(Math.max(0, repetitions(left.length, right)));
      return calculate(operator, left, right);
    default:
      return calculate(operator, left, right);
  }
}

export function isEqual(left: Value, right: Value): boolean {
  if (left === UNDEFINED || right === UNDEFINED) return left === right;
  if (isNumber(left) && isNumber(right)) return numberOf(left) === numberOf(right);
  return isDeepStrictEqual(jsonOf(left), jsonOf(right));
}

/** Less than 0: left comes first. Throws for values of different kinds. */
export function compare(left: Value, right: Value): number {
  if (isNumber(left) && isNumber(right)) return numberOf(left) - numberOf(right);
  if (typeof left === "string" && typeof right === "string")
    return Buffer.compare(Buffer.from(left), Buffer.from(right));
  throw new TypeError(`'${textOfValue(left)}' and '${textOfValue(right)}' cannot be compared`);
}

function contains(container: Value, item: Value): boolean {
  if (typeof container === "string") return container.includes(textOfValue(item));
  if (isMapping(container)) return Object.hasOwn(container, textOfValue(item));
  return itemsOf(container).some((candidate) => isEqual(candidate, item));
}

/** How often a text comes; a template must not fill the memory. */
function repetitions(length: number, times: Value): number {
  const count = numberOf(times);
  if (length * count > MAX_TEXT) throw new RangeError(`A text of more than ${MAX_TEXT} characters`);
  return count;
}

function calculate(operator: string, left: Value, right: Value): Value {
  const [a, b] = [numberOf(left), numberOf(right)];
  const hasFloat = [left, right].some(
    (value) => value instanceof Float || (typeof value === "number" && !Number.isInteger(value)),
  );
  const result = (value: number): Value => (hasFloat ? asFloat(value) : value);
  if (["/", "//", "%"].includes(operator) && b === 0) throw new RangeError("division by zero");
  switch (operator) {
    case "+":
      return result(a + b);
    case "-":
      return result(a - b);
    case "*":
      return result(a * b);
    case "/":
      return asFloat(a / b);
    case "//":
      return result(Math.floor(a / b));
    case "%":
      return result(((a % b) + b) % b);
    case "**":
      return result(a ** b);
    default:
      throw new TypeError(`This server does not know the operator '${operator}' in templates`);
  }
}
