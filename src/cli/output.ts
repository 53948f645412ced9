import { stringify as stringifyYaml } from "yaml";

import { plainJson } from "../json/plain.ts";
import { stringifyJson } from "../json/stringify.ts";
import { plainTable, terminalTable } from "./table.ts";
import { painterOf } from "./text-style.ts";

import type { Json, JsonObject } from "../json/value.ts";
import type { Io } from "./io.ts";
import type { Column } from "./table.ts";
import type { Paint } from "./text-style.ts";

/** The flags that say in which form a command answers. */
export interface OutputFlags {
  readonly json?: boolean;
  readonly output?: "json";
}

/**
 * What a command answers. With `--json` standard output holds the API's own objects and nothing else; on a terminal lists are
 * tables, and lines of tabs elsewhere.
 */
export interface Output {
  readonly isJson: boolean;
  readonly paint: Paint;
  /** One JSON value. */
  json(value: Json): void;
  /** `nothing` is told to the reader, not to a program, where the list is empty. */
  list<T extends { readonly json: JsonObject }>(
    items: readonly T[],
    columns: readonly Column<T>[],
    nothing: string,
  ): void;
  /** Everything about one object; for people as YAML, and only what `shown` says where it is given. */
  inspect(object: JsonObject, shown?: JsonObject): void;
  /** What has been done, and to which object. */
  done(object: JsonObject, ...lines: readonly string[]): void;
  /** For the reader only. */
  note(line: string): void;
}

// Some terminals say that they are 0 wide.
const DEFAULT_WIDTH = 80;

export function createOutput(io: Io, flags: OutputFlags): Output {
  const isJson = flags.json === true || flags.output === "json";
  const paint = painterOf(io);
  const { stdout, stderr } = io;

  function json(value: Json): void {
    stdout.write(`${stringifyJson(value, 2)}\n`);
  }

  return {
    isJson,
    paint,
    json,
    list(items, columns, nothing) {
      if (isJson) json(items.map((item) => item.json));
      else if (items.length === 0) stderr.write(`${nothing}\n`);
      else if (stdout.isTTY === true) {
        stdout.write(terminalTable(items, columns, { width: stdout.columns || DEFAULT_WIDTH, paint }));
      } else stdout.write(plainTable(items, columns));
    },
    inspect(object, shown = object) {
      if (isJson) json(object);
      else stdout.write(stringifyYaml(plainJson(shown), { lineWidth: 0, aliasDuplicateObjects: false }));
    },
    done(object, ...lines) {
      if (isJson) json(object);
      else for (const line of lines) stdout.write(`${line}\n`);
    },
    note(line) {
      stderr.write(`${line}\n`);
    },
  };
}
