import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Directory that holds our package.json; the same whether this runs from src/ or bundled in dist/. */
export const packageRoot = findPackageRoot();

function findPackageRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, "package.json"))) {
    const parent = dirname(directory);
    if (parent === directory) throw new Error(`No package.json above ${fileURLToPath(import.meta.url)}`);
    directory = parent;
  }
  return directory;
}
