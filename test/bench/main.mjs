// `npm run bench`, `npm run bench server` and `npm run bench deploy`: bundles bench.ts, server-bench.ts or deploy-bench.ts
// (Node 20 runs no TypeScript) and runs it.
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../..", import.meta.url));
// Beside this file: the sources find their fixtures and the venvs by their own place, two folders below the root.
const args = process.argv.slice(2);
const kind = ["server", "deploy"].find((word) => word === args[0]);
const name = kind === undefined ? "bench" : `${kind}-bench`;
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
await main(kind === undefined ? args : args.slice(1));
