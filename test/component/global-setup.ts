import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Bundles the product when its sources are newer than the bundle, so that the suite works without `npm test`, too. */
export default async function setup(): Promise<void> {
  const { isBuilt } = (await import(join(root, ".ci/freshness.mjs"))) as { readonly isBuilt: () => boolean };
  if (!isBuilt()) await import(join(root, ".ci/build.mjs"));
}
