// Bundles the two bins and the public subpath into dist/. One bundle instead of a thousand small modules is
// what makes the worker start in a blink and stay small; rarely used parts (S3, git) stay in lazy chunks.
import { spawnSync } from "node:child_process";
import { chmod, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { buildPage } from "./page.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
await rm(`${root}dist`, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: {
    lighterman: "src/cli/lighterman.ts",
    worker: "src/cli/worker.ts",
    templating: "src/templating/index.ts",
  },
  outdir: "dist",
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20",
  minifySyntax: true,
  minifyWhitespace: true,
  // They find their binaries beside themselves.
  external: ["@photostructure/sqlite", "node-unix-socket"],
  plugins: [
    {
      name: "part of undici",
      setup: (build) => build.onResolve({ filter: /^undici$/ }, () => ({ path: `${root}.ci/undici.mjs` })),
    },
  ],
  sourcemap: "linked",
  sourcesContent: false,
  // Bundled CommonJS dependencies call require() for Node's own modules.
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
  logLevel: "warning",
});
await buildPage(root);
await Promise.all(["lighterman", "worker"].map((bin) => chmod(`${root}dist/${bin}.js`, 0o755)));
// For .ci/freshness.mjs: what was cut off before has no such file.
await writeFile(`${root}dist/.complete`, "");
if (process.argv.includes("--types")) {
  const tsc = spawnSync(
    process.execPath,
    [`${root}node_modules/typescript/bin/tsc`, "-p", `${root}src/tsconfig.json`],
    {
      stdio: "inherit",
    },
  );
  process.exitCode = tsc.status ?? 1;
}
