import { createReadStream } from "node:fs";
import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { finished } from "node:stream/promises";

import { coerceError, WorkerError } from "../errors.ts";

import type { Stats } from "node:fs";
import type { Pack } from "tar-stream";

/** A file that is put into the context beside those of the directory, or in place of one. */
export interface ExtraFile {
  /** Relative to the context. */
  readonly path: string;
  readonly content: string;
}

interface ContextEntry {
  readonly path: string;
  readonly stats: Stats;
}

/** What an image is built of: the files of a directory that its .dockerignore leaves. */
export interface BuildContext {
  readonly files: number;
  readonly bytes: number;
  /** As a tar archive; read once. Fails with IMAGE_UNAVAILABLE when a file cannot be read or changes meanwhile. */
  readonly archive: Readable;
}

/**
 * Lists a directory as Docker's client does: by its .dockerignore, but for that file itself and the Dockerfile, which always go
 * along. Links stay links; sockets are left out. Rejects with IMAGE_UNAVAILABLE for a directory that cannot be read.
 */
export async function readBuildContext(
  directory: string,
  dockerfile: string,
  extra: readonly ExtraFile[] = [],
): Promise<BuildContext> {
  const entries: ContextEntry[] = [];
  try {
    const isIgnored = await readDockerIgnore(directory, dockerfile);
    await collect(directory, "", isIgnored, entries);
  } catch (thrown) {
    const error = coerceError(thrown);
    throw new WorkerError(
      "IMAGE_UNAVAILABLE",
      `The build context ${directory} cannot be read: ${error.message}`,
      {
        cause: error,
        hint: "Correct the step's `path`, or name what cannot be read in .dockerignore.",
      },
    );
  }
  const replaced = new Set(extra.map(({ path }) => path));
  const own = entries.filter(({ path }) => !replaced.has(path));
  const regular = own.filter(({ stats }) => stats.isFile());
  return {
    files: regular.length + extra.length,
    bytes: regular.reduce((sum, { stats }) => sum + stats.size, 0),
    archive: await pack(directory, own, extra),
  };
}

type IsIgnored = (path: string) => { readonly isIgnored: boolean; readonly mayHoldMore: boolean };

async function readDockerIgnore(directory: string, dockerfile: string): Promise<IsIgnored> {
  const text = await readFile(join(directory, ".dockerignore"), "utf8").catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    },
  );
  if (text === undefined) return () => ({ isIgnored: false, mayHoldMore: true });
  const { default: dockerignore } = await import("@balena/dockerignore");
  const rules = dockerignore
    .default({ ignorecase: false })
    .add(text)
    .add([`!${dockerfile}`, "!.dockerignore"]);
  const exceptions = [...text.split("\n"), `!${dockerfile}`]
    .map((line) => line.trim())
    .filter((line) => line.startsWith("!"))
    .map((line) => `${line.slice(1).trim().replace(/^\/+/, "")}/`);
  return (path) => ({
    isIgnored: rules.ignores(path),
    // As moby has it: only an exception that begins with the directory's own path reaches into it.
    mayHoldMore: exceptions.some((exception) => exception.startsWith(`${path}/`)),
  });
}

async function collect(
  root: string,
  below: string,
  isIgnored: IsIgnored,
  entries: ContextEntry[],
): Promise<void> {
  const names = await readdir(join(root, below));
  for (const name of names.toSorted()) {
    const path = below === "" ? name : `${below}/${name}`;
    const verdict = isIgnored(path);
    if (verdict.isIgnored && !verdict.mayHoldMore) continue;
    const stats = await lstat(join(root, path));
    if (!verdict.isIgnored && (stats.isFile() || stats.isDirectory() || stats.isSymbolicLink())) {
      entries.push({ path, stats });
    }
    if (stats.isDirectory()) await collect(root, path, isIgnored, entries);
  }
}

async function pack(
  root: string,
  entries: readonly ContextEntry[],
  extra: readonly ExtraFile[],
): Promise<Readable> {
  const { pack: createPack } = await import("tar-stream");
  const archive = createPack();
  void fill(archive, root, entries, extra).then(
    () => archive.finalize(),
    (thrown: unknown) => archive.destroy(coerceError(thrown)),
  );
  return Readable.from(archive, { objectMode: false });
}

async function fill(
  archive: Pack,
  root: string,
  entries: readonly ContextEntry[],
  extra: readonly ExtraFile[],
): Promise<void> {
  for (const { path, stats } of entries) {
    const header = { name: path, mode: stats.mode & 0o7777, mtime: stats.mtime };
    if (stats.isDirectory()) archive.entry({ ...header, type: "directory" });
    else if (stats.isSymbolicLink()) {
      archive.entry({ ...header, type: "symlink", linkname: await readlink(join(root, path)) });
    } else await addFile(archive, join(root, path), { ...header, size: stats.size });
  }
  for (const { path, content } of extra) archive.entry({ name: path, mode: 0o644 }, content);
}

async function addFile(
  archive: Pack,
  file: string,
  header: { readonly name: string; readonly mode: number; readonly mtime: Date; readonly size: number },
): Promise<void> {
  const entry = archive.entry(header);
  if (header.size === 0) {
    entry.end();
    return;
  }
  try {
    let sent = 0;
    // What is added to the file meanwhile is left out: its size stands in the header.
    for await (const chunk of createReadStream(file, { end: header.size - 1 })) {
      const bytes = chunk as Buffer;
      sent += bytes.length;
      if (!entry.write(bytes)) await new Promise<void>((resolve) => entry.once("drain", resolve));
    }
    if (sent < header.size) throw new Error("it became shorter meanwhile");
    entry.end();
    await finished(entry);
  } catch (thrown) {
    const error = coerceError(thrown);
    throw new WorkerError("IMAGE_UNAVAILABLE", `${file} cannot be sent for the build: ${error.message}`, {
      cause: error,
      hint: "Make it readable, or name it in .dockerignore.",
    });
  }
}
