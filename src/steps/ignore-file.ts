import { readFile } from "node:fs/promises";

/** Says whether a path below the directory is no part of the code; it has no slash at its end. */
export type IsIgnored = (path: string, isDirectory: boolean) => boolean;

/** Reads a .prefectignore: patterns as in .gitignore. A file that is not there ignores nothing. */
export async function readIgnoreFile(path: string): Promise<IsIgnored> {
  const patterns = await readFile(path, "utf8").catch(() => undefined);
  if (patterns === undefined) return () => false;
  const { default: ignore } = await import("ignore");
  const rules = ignore().add(patterns);
  return (name, isDirectory) => rules.ignores(isDirectory ? `${name}/` : name);
}
