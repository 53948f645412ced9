import { accessSync, constants, statSync } from "node:fs";
import { join, resolve } from "node:path";

/**
 * The file that a program's name stands for: a name with a slash counts from `cwd`, another one is looked up in the PATH
 * of `env`. Undefined when there is no such executable file.
 */
export function findExecutable(
  name: string,
  env: Readonly<Record<string, string | undefined>>,
  cwd = ".",
): string | undefined {
  if (name.includes("/")) {
    const path = resolve(cwd, name);
    return isExecutable(path) ? path : undefined;
  }
  const directories = (env["PATH"] ?? "/bin:/usr/bin").split(":");
  return directories.map((directory) => resolve(cwd, join(directory, name))).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false; // not there, or not for us
  }
}
