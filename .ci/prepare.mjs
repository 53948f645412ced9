// Set-up shared by `npm start` and `npm test`: installs the packages when they are missing or older than the
// lock file, and builds dist/.
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const modifiedAt = (path) => statSync(root + path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

if (modifiedAt("node_modules/.package-lock.json") < modifiedAt("package-lock.json")) {
  console.error("Installing packages…");
  const npm = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
  });
  if (npm.status !== 0) {
    console.error("`npm ci` failed: see its messages above.");
    process.exit(npm.status ?? 1);
  }
}
await import("./build.mjs");
