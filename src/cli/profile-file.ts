import { mkdir, readFile, realpath, rename, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

import type { ProfilePlace } from "../config/profile.ts";

/** What Prefect writes where there is no file yet (prefect/settings/profiles.toml). */
const NEW_FILE = 'active = "ephemeral"\n\n[profiles.ephemeral]\nPREFECT_SERVER_EPHEMERAL_ENABLED = "true"\n';

/** Sets a Prefect setting in a profile, as `prefect config set` does; all else in the file stays as it is, comments too. */
export async function setInProfile(
  { file, profile }: ProfilePlace,
  name: string,
  value: string,
): Promise<void> {
  // The file may hold API keys, and may be a link to where its owner keeps such files.
  const target = await realpath(file).catch(() => file);
  const found = await stat(target).catch(() => undefined);
  const text = found === undefined ? NEW_FILE : await readFile(target, "utf8");
  await mkdir(dirname(target), { recursive: true });
  await writeFile(`${target}.new`, withSetting(text, profile, name, value), { mode: found?.mode ?? 0o600 });
  await rename(`${target}.new`, target);
}

function withSetting(text: string, profile: string, name: string, value: string): string {
  const lines = text.split("\n");
  const header = lines.findIndex((line) => headerOf(line) === profile);
  const assignment = `${name} = ${JSON.stringify(value)}`;
  if (header === -1) return `${text.trimEnd()}\n\n[profiles.${JSON.stringify(profile)}]\n${assignment}\n`;
  const next = lines.findIndex((line, index) => index > header && /^\s*\[/.test(line));
  const end = next === -1 ? lines.length : next;
  const old = lines.findIndex(
    (line, index) => index > header && index < end && line.split("=")[0]?.trim() === name,
  );
  if (old !== -1) return lines.with(old, assignment).join("\n");
  return lines.toSpliced(header + 1, 0, assignment).join("\n");
}

/** The profile whose section a line begins. */
function headerOf(line: string): string | undefined {
  const [, quoted, bare] = /^\s*\[\s*profiles\s*\.\s*(?:"([^"]*)"|([\w-]+))\s*\]/.exec(line) ?? [];
  return quoted ?? bare;
}
