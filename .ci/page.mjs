// Bundles the server's web page into dist/page/: one script and one stylesheet with hashed names, each also
// compressed, and the HTML that names them. Nothing of it comes from elsewhere when the page is shown.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { build } from "esbuild";

const compress = promisify(gzip);

/** Builds the page of the repository at `root` (with a slash at its end). */
export async function buildPage(root) {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: { page: "src/server/page/main.tsx", style: "src/server/page/style/page.css" },
    outdir: "dist/page/assets",
    entryNames: "[name]-[hash]",
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    // The browsers of 2024 and later: light-dark() is what decides.
    target: ["chrome123", "firefox120", "safari17.5"],
    minify: true,
    logLevel: "warning",
  });
  const names = outputFiles.map(({ path }) => basename(path));
  const script = names.find((name) => name.endsWith(".js"));
  const style = names.find((name) => name.endsWith(".css"));
  const html = (await readFile(`${root}src/server/page/index.html`, "utf8"))
    .replace("{script}", `/assets/${script}`)
    .replace("{style}", `/assets/${style}`);
  await mkdir(`${root}dist/page/assets`, { recursive: true });
  await writeFile(`${root}dist/page/index.html`, html);
  const icon = await readFile(`${root}src/server/page/icon.svg`);
  const assets = [...outputFiles.map(({ path, contents }) => [basename(path), contents]), ["icon.svg", icon]];
  await Promise.all(
    assets.flatMap(([name, contents]) => [
      writeFile(`${root}dist/page/assets/${name}`, contents),
      compress(contents, { level: 9 }).then((packed) =>
        writeFile(`${root}dist/page/assets/${name}.gz`, packed),
      ),
    ]),
  );
}
