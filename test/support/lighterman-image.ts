import { execFile } from "node:child_process";
import { cp, link, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { baseImage } from "./docker-engine.ts";
import type { DockerEngine } from "./docker-engine.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));

/** What `makeBases` makes. */
export const basesImage = { debian: "bases:debian", node: "bases:node" } as const;

// Inside, the package index is asked over whatever this machine asks it over: with its certificates.
const BASES = `
FROM ${baseImage} AS debian
COPY machine.crt /usr/local/share/machine.crt
ENV NODE_EXTRA_CA_CERTS=/usr/local/share/machine.crt PIP_CERT=/usr/local/share/machine.crt

FROM debian
COPY node /usr/local/bin/node
COPY npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
`;

/** Stands in for the images `node` and `debian` that the Dockerfile names: no registry can be asked for them. */
export async function makeBases(engine: DockerEngine): Promise<void> {
  const version = await nodeVersion();
  const arch = process.arch === "arm64" ? "arm64" : "x64";
  const packages = join(root, ".venvs/node-image");
  const node = join(packages, `node_modules/node-linux-${arch}`);
  const found = await readFile(join(node, "package.json"), "utf8").catch(() => "{}");
  if (JSON.parse(found).version !== version) {
    await mkdir(packages, { recursive: true });
    const wanted = [`node-linux-${arch}@${version}`, "npm@11"];
    await run("npm", ["install", "--silent", "--no-save", "--prefix", packages, ...wanted]);
  }
  const context = await mkdtemp(join(packages, "context-"));
  try {
    await link(join(node, "bin/node"), join(context, "node"));
    await cp(join(packages, "node_modules/npm"), join(context, "npm"), { recursive: true });
    await cp(
      process.env["SSL_CERT_FILE"] ?? "/etc/ssl/certs/ca-certificates.crt",
      join(context, "machine.crt"),
    );
    await writeFile(join(context, "Dockerfile"), BASES);
    await engine.docker("build", "--quiet", "--target", "debian", "--tag", basesImage.debian, context);
    await engine.docker("build", "--quiet", "--tag", basesImage.node, context);
  } finally {
    await rm(context, { recursive: true, force: true });
  }
}

/** Builds a target of the Dockerfile upon the bases; gives the image's size in MB, as `docker images` counts. */
export async function buildImage(engine: DockerEngine, target: string, tag: string): Promise<number> {
  const bases = [
    "--build-arg",
    `NODE_IMAGE=${basesImage.node}`,
    "--build-arg",
    `DEBIAN_IMAGE=${basesImage.debian}`,
  ];
  await engine.docker("build", "--network", "host", ...bases, "--target", target, "--tag", tag, root);
  return Math.round(Number(await engine.docker("image", "inspect", "--format", "{{.Size}}", tag)) / 1e6);
}

/** The one that the Dockerfile asks for. */
async function nodeVersion(): Promise<string> {
  const text = await readFile(join(root, "Dockerfile"), "utf8");
  const version = /^ARG NODE_IMAGE=node:([\d.]+)-/m.exec(text)?.[1];
  if (version === undefined) throw new Error("The Dockerfile names no version of Node");
  return version;
}
