import path from "node:path";

import { SETTING_ENTRIES } from "./settings.ts";
import { isTable, leavesOf } from "./tables.ts";

import type { LineCounter } from "yaml";
import type { SettingsFiles } from "./files.ts";
import type { Entry, Layer } from "./layer.ts";

const NAME_BY_KEY: ReadonlyMap<string, string> = new Map(SETTING_ENTRIES.map(({ key, name }) => [key, name]));

/** `api`, `worker`, `worker.webserver`…: what must hold a mapping. */
const SECTIONS: ReadonlySet<string> = new Set(
  SETTING_ENTRIES.flatMap(({ key }) => {
    const parts = key.split(".");
    return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("."));
  }),
);

export interface ConfigFileLayer {
  readonly layer: Layer;
  readonly warnings: readonly string[];
}

/**
 * The settings of our own YAML file. Relative paths in it count from its directory. A key that is not known is warned
 * about, so that a newer file still works with an older worker.
 *
 * @param source where the file's path came from, for the error when it cannot be read
 */
export async function readConfigFile(
  files: SettingsFiles,
  file: string,
  source: string,
): Promise<ConfigFileLayer> {
  const layer = new Map<string, Entry>();
  const warnings: string[] = [];
  const text = await files.text(file, source);
  if (text === undefined) return { layer, warnings };

  const { isNode, LineCounter, parseDocument } = await import("./yaml.ts");
  const lines = new LineCounter();
  const shown = files.show(file);
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  for (const error of document.errors) {
    // Messages may quote the file's text; codes such as DUPLICATE_KEY do not.
    const reason = error.code.toLowerCase().replaceAll("_", " ");
    const issueSource = describePlace(lines, error.pos[0]);
    files.issues.push({
      key: shown,
      source: issueSource,
      found: undefined,
      expected: `valid YAML (${reason})`,
    });
  }
  if (document.errors.length > 0) return { layer, warnings };

  const content: unknown = document.toJS();
  if (content === null) return { layer, warnings };
  if (!isTable(content)) {
    files.issues.push({ key: shown, source: "line 1", found: undefined, expected: "a mapping of settings" });
    return { layer, warnings };
  }
  const placeOf = (key: string): string => {
    const node = document.getIn(key.split("."), true);
    const start = isNode(node) ? node.range?.[0] : undefined;
    return start === undefined ? shown : `line ${lines.linePos(start).line} of ${shown}`;
  };
  for (const [key, raw] of leavesOf(content, (candidate) => NAME_BY_KEY.has(candidate))) {
    const name = NAME_BY_KEY.get(key);
    if (name !== undefined)
      layer.set(name, { raw, source: placeOf(key), baseDir: path.dirname(file), isOurs: true });
    else if (SECTIONS.has(key)) {
      files.issues.push({ key, source: placeOf(key), found: undefined, expected: "a mapping of settings" });
    } else warnings.push(`Unknown setting '${key}' (${placeOf(key)}) is ignored.`);
  }
  return { layer, warnings };
}

function describePlace(lines: LineCounter, offset: number): string {
  const { line, col } = lines.linePos(offset);
  return `line ${line}, column ${col}`;
}
