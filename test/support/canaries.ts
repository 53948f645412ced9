import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { listProcesses } from "./proc.ts";

/** A text, and the forms in which it travels: percent-encoded, base64, JSON. */
function formsOf(secret: string): readonly string[] {
  return [
    ...new Set([
      secret,
      encodeURIComponent(secret),
      Buffer.from(secret).toString("base64").replace(/=+$/, ""),
    ]),
  ];
}

/** Names of the canaries that stand in a text. */
export function canariesIn(text: string, canaries: ReadonlyMap<string, string>): readonly string[] {
  return [...canaries]
    .filter(([, secret]) => formsOf(secret).some((form) => text.includes(form)))
    .map(([name]) => name);
}

/** Looks for canaries in all files below a directory; answers `path: name`. */
export async function canariesBelow(
  directory: string,
  canaries: ReadonlyMap<string, string>,
): Promise<readonly string[]> {
  const found: string[] = [];
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const text = await readFile(path, "latin1").catch(() => "");
    found.push(...canariesIn(`${path}\n${text}`, canaries).map((name) => `${path}: ${name}`));
  }
  return found;
}

/** Samples the arguments of all processes until disposed. */
export class ArgvWatch implements Disposable {
  readonly found = new Set<string>();
  samples = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(canaries: ReadonlyMap<string, string>, everyMs = 15) {
    this.#timer = setInterval(() => {
      this.samples += 1;
      for (const { argv } of listProcesses()) {
        for (const name of canariesIn(argv, canaries)) this.found.add(`${name} in: ${argv}`);
      }
    }, everyMs);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
