// `npm run bench` and `npm run bench server`: bundles bench.ts or server-bench.ts (Node 20 runs no TypeScript) and runs it.
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../..", import.meta.url));
// Beside this file: the sources find their fixtures and the venvs by their own place, two folders below the root.
const args = process.argv.slice(2);
const isServer = args[0] === "server";
const name = isServer ? "server-bench" : "bench";
const outfile = `${root}.cache/bench/${name}.mjs`;
await mkdir(`${root}.cache/bench`, { recursive: true });
await build({
  entryPoints: [`${root}test/bench/${name}.ts`],
  outfile,
  bundle: true,
  packages: "external",
  platform: "node",
  format: "esm",
  target: "node20",
  logLevel: "warning",
});
const { main } = await import(outfile);
await main(isServer ? args.slice(1) : args);
