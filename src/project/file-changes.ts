import { watch } from "node:fs/promises";
import { join } from "node:path";

import { readIgnoreFile } from "../steps/ignore-file.ts";

const ALWAYS_IGNORED = /(?:^|\/)(?:\.git|__pycache__|node_modules|\.venv)(?:\/|$)|\.pyc$|~$|\.sw[px]$/;
/** Editors write a file in several steps, and tools several files at once. */
const QUIET_MS = 300;

/**
 * Yields the paths that have changed below a directory, once it has been quiet for a moment; what .prefectignore names does not count.
 * Ends by throwing the signal's reason.
 */
export async function* changesBelow(
  directory: string,
  signal: AbortSignal,
): AsyncGenerator<ReadonlySet<string>> {
  const isIgnored = await readIgnoreFile(join(directory, ".prefectignore"));
  let changed = new Set<string>();
  let wake: () => void = () => undefined;
  const watching = collect();
  watching.catch(() => wake());

  async function collect(): Promise<void> {
    for await (const { filename } of watch(directory, { recursive: true, signal })) {
      if (filename === null || ALWAYS_IGNORED.test(filename) || isIgnored(filename, false)) continue;
      changed.add(filename);
      wake();
    }
  }

  for (;;) {
    while (changed.size === 0) {
      await new Promise<void>((resolve) => {
        wake = resolve;
        if (signal.aborted) resolve();
      });
      signal.throwIfAborted();
      if (changed.size === 0) await watching;
    }
    let seen: number;
    do {
      seen = changed.size;
      await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
      signal.throwIfAborted();
    } while (changed.size > seen);
    const batch = changed;
    changed = new Set();
    yield batch;
  }
}
