// Tells whether dist/ is whole and newer than all that it is made of. A second `npm start` must not build it anew under the first.
import { readdirSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Milliseconds since the epoch; 0 when there is no such file. */
export function modifiedAt(path) {
  return statSync(root + path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

export function isBuilt() {
  // Directories too: a file that is gone leaves no other trace.
  const sources = ["src", ".ci"].flatMap((directory) => [
    directory,
    ...readdirSync(root + directory, { recursive: true, encoding: "utf8" }).map(
      (name) => `${directory}/${name}`,
    ),
  ]);
  const newest = Math.max(...["package.json", "package-lock.json", ...sources].map(modifiedAt));
  return modifiedAt("dist/.complete") > newest;
}
