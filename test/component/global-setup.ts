import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Bundles the product when its sources are newer than the bundle, so that the suite works without `npm test`, too. */
export default async function setup(): Promise<void> {
  const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" });
  const newest = Math.max(...sources.map((file) => modifiedAt(join("src", file))));
  if (modifiedAt("dist/lighterman.js") > Math.max(newest, modifiedAt("package-lock.json"))) return;
  await import(join(root, ".ci/build.mjs"));
}

function modifiedAt(file: string): number {
  return statSync(join(root, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
