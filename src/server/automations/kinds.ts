import { Float, isJsonObject } from "../../json/value.ts";
import { parseUuid } from "../http/body.ts";
import { bad, good, listOf, within } from "./model.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { Kind, Problem } from "./model.ts";

/** Kinds of fields with what pydantic accepts for them and says when it does not. */

export const text: Kind = (input) =>
  typeof input === "string" ? good(input) : bad("string_type", "Input should be a valid string", input);

/** A text or null. */
export function nullable(kind: Kind): Kind {
  return (input, checks) => (input === null ? good(null) : kind(input, checks));
}

const TRUE_WORDS = new Set(["true", "1", "yes", "on", "t", "y"]);
const FALSE_WORDS = new Set(["false", "0", "no", "off", "f", "n"]);

export const flag: Kind = (input) => {
  if (typeof input === "boolean") return good(input);
  const number = numberOf(input);
  if (number === undefined && typeof input !== "string")
    return bad("bool_type", "Input should be a valid boolean", input);
  const word = (typeof input === "string" ? input : String(number)).toLowerCase();
  if (TRUE_WORDS.has(word)) return good(true);
  if (FALSE_WORDS.has(word)) return good(false);
  return bad("bool_parsing", "Input should be a valid boolean, unable to interpret input", input);
};

export const integer: Kind = (input) => {
  if (typeof input === "boolean") return good(Number(input));
  const number =
    typeof input === "string" && /^\s*[-+]?\d+\s*$/.test(input) ? Number(input) : numberOf(input);
  if (number !== undefined) {
    return Number.isInteger(number)
      ? good(number)
      : bad("int_from_float", "Input should be a valid integer, got a number with a fractional part", input);
  }
  return typeof input === "string"
    ? bad("int_parsing", "Input should be a valid integer, unable to parse string as an integer", input)
    : bad("int_type", "Input should be a valid integer", input);
};

export const uuid: Kind = (input) => {
  if (typeof input !== "string")
    return bad("uuid_type", "UUID input should be a string, bytes or UUID object", input);
  try {
    return good(parseUuid(input, []));
  } catch {
    return bad("uuid_parsing", "Input should be a valid UUID", input, { error: "invalid UUID" });
  }
};

/** A duration: seconds, `HH:MM:SS` with days before it, or ISO 8601; kept as seconds. */
export const duration: Kind = (input) => {
  const seconds = typeof input === "string" ? secondsIn(input) : numberOf(input);
  if (seconds !== undefined) return good(new Float(seconds));
  return typeof input === "string"
    ? bad("time_delta_parsing", "Input should be a valid timedelta", input, { error: "invalid duration" })
    : bad("time_delta_type", "Input should be a valid timedelta", input);
};

export const notNegativeDuration: Kind = (input, checks) => {
  const checked = duration(input, checks);
  if (!checked.ok || (checked.value as Float).value >= 0) return checked;
  return bad("greater_than_equal", "Input should be greater than or equal to 0 seconds", input, {
    ge: "0 seconds",
  });
};

/** One of these words. */
export function literal(...words: readonly string[]): Kind {
  return (input) => {
    if (typeof input === "string" && words.includes(input)) return good(input);
    const expected = inWords(words);
    return bad("literal_error", `Input should be ${expected}`, input, { expected });
  };
}

/** One of the members of an enumeration; `shown` is how the message names them. */
export function member(words: readonly string[], shown?: string): Kind {
  return (input) => {
    if (typeof input === "string" && words.includes(input)) return good(input);
    const expected = shown ?? inWords(words);
    const type = shown === undefined ? "enum" : "literal_error";
    return bad(type, `Input should be ${expected}`, input, { expected });
  };
}

/** Texts of which each counts once. */
export const textSet: Kind = (input, checks) => {
  if (!Array.isArray(input)) return bad("set_type", "Input should be a valid set", input);
  const checked = listOf(text)(input, checks);
  return checked.ok ? good([...new Set(checked.value as readonly string[])]) : checked;
};

export const object: Kind = (input) =>
  isJsonObject(input) ? good(input) : bad("dict_type", "Input should be a valid dictionary", input);

const SPECIFICATION = "ResourceSpecification";
const SPECIFICATION_DICT = "dict[str,union[str,list[str]]]";

/** Labels, each with a pattern or a list of them. */
export const specification: Kind = (input, checks) => {
  if (isJsonObject(input)) return checkSpecification(input, checks);
  return { ok: false, problems: notObjects(input) };
};

/** The same, or a list of it. */
export const specifications: Kind = (input, checks) => {
  if (isJsonObject(input)) return checkSpecification(input, checks);
  if (Array.isArray(input)) return listOf(specification)(input, checks);
  const list = `list[union[${SPECIFICATION},${SPECIFICATION_DICT}]]`;
  const notList = bad("list_type", "Input should be a valid list", input);
  return {
    ok: false,
    problems: [...notObjects(input), ...(notList.ok ? [] : within(list, notList.problems))],
  };
};

const checkSpecification = (input: JsonObject, checks: Parameters<Kind>[1]): ReturnType<Kind> => {
  const problems = Object.entries(input).flatMap(([label, value]) => {
    const [asText, asList] = [text(value, checks), listOf(text)(value, checks)];
    if (asText.ok || asList.ok) return [];
    return within(label, [...within("str", asText.problems), ...within("list[str]", asList.problems)]);
  });
  return problems.length > 0 ? { ok: false, problems } : good(input);
};

function notObjects(input: Json): Problem[] {
  return [SPECIFICATION, SPECIFICATION_DICT].map((label) => ({
    type: "dict_type",
    loc: [label],
    msg: "Input should be a valid dictionary",
    input,
  }));
}

const CLOCK = /^([-+])?(?:(\d+)\s*(?:d|days?),?\s+)?(\d+):(\d\d)(?::(\d\d(?:\.\d+)?))?$/i;
const ISO =
  /^([-+])?P(?=.)(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?(?:T(?=.)(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?$/i;

function secondsIn(written: string): number | undefined {
  const clock = CLOCK.exec(written);
  if (clock !== null) {
    const [, sign, days = "0", hours = "0", minutes = "0", seconds = "0"] = clock;
    const total = Number(days) * 86_400 + Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
    return sign === "-" ? -total : total;
  }
  const iso = ISO.exec(written);
  if (iso === null) return undefined;
  const [, sign, weeks = "0", days = "0", hours = "0", minutes = "0", seconds = "0"] = iso;
  const total =
    Number(weeks) * 604_800 +
    Number(days) * 86_400 +
    Number(hours) * 3600 +
    Number(minutes) * 60 +
    Number(seconds);
  return sign === "-" ? -total : total;
}

function numberOf(input: Json): number | undefined {
  if (input instanceof Float) return input.value;
  return typeof input === "number" ? input : undefined;
}

function inWords(words: readonly string[]): string {
  const quoted = words.map((word) => `'${word}'`);
  const last = quoted.pop() ?? "";
  return quoted.length === 0 ? last : `${quoted.join(", ")} or ${last}`;
}
