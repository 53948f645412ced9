// `npm run bench`: bundles bench.ts (Node 20 runs no TypeScript) and runs it.
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../..", import.meta.url));
// Beside this file: the sources find their fixtures and the venvs by their own place, two folders below the root.
const outfile = `${root}.cache/bench/bench.mjs`;
await mkdir(`${root}.cache/bench`, { recursive: true });
await build({
  entryPoints: [`${root}test/bench/bench.ts`],
  outfile,
  bundle: true,
  packages: "external",
  platform: "node",
  format: "esm",
  target: "node20",
  logLevel: "warning",
});
const { main } = await import(outfile);
await main(process.argv.slice(2));
