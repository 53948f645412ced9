// Installs the packages when they are missing or older than the lock file, and builds dist/ when it is older than its sources.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

import { isBuilt, modifiedAt } from "./freshness.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

if (modifiedAt("node_modules/.package-lock.json") < modifiedAt("package-lock.json")) {
  console.error("Installing packages: this takes some seconds, the first time only…");
  const npm = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
  });
  if (npm.status !== 0) {
    console.error("`npm ci` failed: see its messages above.");
    process.exit(npm.status ?? 1);
  }
}
if (!isBuilt()) await import("./build.mjs");
