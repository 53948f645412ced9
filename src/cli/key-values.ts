import { WorkerError, coerceError } from "../errors.ts";
import { parseJson } from "../json/parse.ts";
import { objectOf } from "../json/object.ts";

import type { Json, JsonObject } from "../json/value.ts";

/**
 * The object that `KEY=VALUE` words make; a value is JSON, or else text, as Prefect reads it (prefect/cli/_utilities.py:
 * load_json_key_values). What begins like an object or has a double quote must be JSON. Throws a WorkerError; `what` is such as
 * "parameter".
 */
export function readKeyValues(words: readonly string[], what: string): JsonObject {
  return objectOf(
    words.map((word) => {
      const equals = word.indexOf("=");
      if (equals < 1) {
        throw new WorkerError("USAGE", `'${word}' is no ${what}`, { hint: "Write it as KEY=VALUE." });
      }
      const key = word.slice(0, equals);
      return [key, readValue(word.slice(equals + 1), `${what} '${key}'`)] as const;
    }),
  );
}

function readValue(text: string, name: string): Json {
  try {
    return parseJson(text);
  } catch (thrown) {
    if (/^\s*\{|"/.test(text)) {
      throw new WorkerError("USAGE", `The value of ${name} is no JSON: ${coerceError(thrown).message}`, {
        hint: "Put the whole word into single quotes, so that the shell leaves its quotes alone.",
        cause: thrown,
      });
    }
    return unescaped(text);
  }
}

/** Prefect reads a bare text as the inside of a JSON text: `\n` in it is a line's end. */
function unescaped(text: string): string {
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    return text;
  }
}
