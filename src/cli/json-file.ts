import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { parse as parseYaml } from "yaml";

import { WorkerError, coerceError } from "../errors.ts";
import { parseJson } from "../json/parse.ts";
import { isJsonObject } from "../json/value.ts";
import { readText } from "./io.ts";

import type { Json, JsonObject } from "../json/value.ts";
import type { Io } from "./io.ts";

/** Reads an object from a file of JSON or YAML, or from standard input for `-`. Throws a WorkerError that names the file. */
export async function readObject(io: Io, file: string, what: string): Promise<JsonObject> {
  const name = file === "-" ? "Standard input" : file;
  const text = await (file === "-" ? readText(io.stdin()) : readFile(resolve(io.cwd, file), "utf8")).catch(
    (thrown: unknown) => {
      throw new WorkerError("USAGE", `${name} cannot be read: ${coerceError(thrown).message}`, {
        cause: thrown,
      });
    },
  );
  const value = parseText(text, name);
  if (!isJsonObject(value)) {
    throw new WorkerError("USAGE", `${name} holds no ${what}: it must be a JSON or YAML mapping`);
  }
  return value;
}

function parseText(text: string, name: string): Json {
  try {
    return parseJson(text);
  } catch {
    // Then it is YAML, whose errors say more.
  }
  try {
    return parseYaml(text) as Json;
  } catch (thrown) {
    // The rest of the message quotes the text, which may hold secrets.
    const [problem = ""] = coerceError(thrown).message.split(":\n");
    throw new WorkerError("USAGE", `${name} is neither JSON nor YAML: ${problem}`);
  }
}
