import { realpath, rename, rm, stat, writeFile } from "node:fs/promises";

/**
 * Puts a text in a file's place at once: whoever reads it, or is killed meanwhile, has the old text or the new one. Links are followed,
 * the mode stays; `newMode` is that of a file which is not there yet.
 */
export async function replaceFile(path: string, text: string, newMode = 0o666): Promise<void> {
  const target = await realpath(path).catch(() => path);
  const found = await stat(target).catch(() => undefined);
  const draft = `${target}.new`;
  try {
    await writeFile(draft, text, { mode: found?.mode ?? newMode });
    await rename(draft, target);
  } catch (thrown) {
    await rm(draft, { force: true });
    throw thrown;
  }
}
