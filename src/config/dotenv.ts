import type { EnvironmentVariables } from "./environment.ts";

const ESCAPES: Readonly<Record<string, string>> = {
  a: "\u0007",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

const BINDING =
  /(?:export[^\S\r\n]+)?(?:#|'(?<quotedKey>[^']+)'|(?<key>[^=#\s]+))[^\S\r\n]*(?<equals>=[^\S\r\n]*)?/y;
const SINGLE_QUOTED = /'((?:\\.|[^'\\])*)'/sy;
const DOUBLE_QUOTED = /"((?:\\.|[^"\\])*)"/sy;
const UNQUOTED = /[^\r\n]*/y;
const END_OF_LINE = /(?:[^\S\r\n]*#[^\r\n]*)?[^\S\r\n]*(?:\r\n|\n|\r|$)/y;

/**
 * Reads a `.env` file exactly as Prefect does, which uses python-dotenv: unlike Node's readers it keeps a `#` inside a
 * bare value, and fills in `${NAME}` and `${NAME:-default}` from the variables above it and from the environment. A line
 * that makes no sense is skipped.
 */
export function parseDotenv(source: string, env: EnvironmentVariables): Record<string, string> {
  const values: Record<string, string> = {};
  const input = source.replace(/^\uFEFF/, "");
  let at = 0;
  const read = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = at;
    const match = pattern.exec(input);
    if (match === null) return undefined;
    at = pattern.lastIndex;
    return match;
  };
  while (read(/\s*/y) !== undefined && at < input.length) {
    if (input[at] === "#") {
      read(UNQUOTED);
      continue;
    }
    const binding = read(BINDING)?.groups;
    const key = binding?.["quotedKey"] ?? binding?.["key"];
    const value = binding?.["equals"] === undefined ? undefined : readValue(binding["equals"]);
    const isComplete = binding !== undefined && read(END_OF_LINE) !== undefined;
    if (!isComplete) read(UNQUOTED);
    else if (key !== undefined && value !== undefined)
      values[key] = interpolate(value, { ...env, ...values });
  }
  return values;

  function readValue(equals: string): string | undefined {
    const first = input[at];
    if (first === "#" && equals.length > 1) return "";
    if (first === "'") return read(SINGLE_QUOTED)?.[1]?.replaceAll(/\\([\\'])/g, "$1");
    if (first === '"') {
      return read(DOUBLE_QUOTED)?.[1]?.replaceAll(
        /\\([\\'"abfnrtv])/g,
        (_, escaped: string) => ESCAPES[escaped] ?? escaped,
      );
    }
    return (read(UNQUOTED)?.[0] ?? "").replace(/\s+#.*/, "").trimEnd();
  }
}

function interpolate(value: string, variables: EnvironmentVariables): string {
  return value.replaceAll(
    /\$\{([^}:]*)(?::-([^}]*))?\}/g,
    (_, name: string, fallback: string | undefined) => variables[name] ?? fallback ?? "",
  );
}
