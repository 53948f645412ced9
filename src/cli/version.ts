import { readFileSync } from "node:fs";
import { join } from "node:path";

import { packageRoot } from "../lifecycle/package-root.ts";

/** Version of this package. */
export const version = readVersion();

function readVersion(): string {
  const manifest = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")) as {
    readonly version: string;
  };
  return manifest.version;
}
