import { mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";

import { exists } from "../steps/existence.ts";
import { replaceFile } from "./replace-file.ts";

import type { ProfilePlace } from "../config/profile.ts";

/** What Prefect writes where there is no file yet (prefect/settings/profiles.toml). */
const NEW_FILE = 'active = "ephemeral"\n\n[profiles.ephemeral]\nPREFECT_SERVER_EPHEMERAL_ENABLED = "true"\n';

/** Sets a Prefect setting in a profile, as `prefect config set` does; all else in the file stays as it is, comments too. */
export async function setInProfile(
  { file, profile }: ProfilePlace,
  name: string,
  value: string,
): Promise<void> {
  const text = (await exists(file)) ? await readFile(file, "utf8") : NEW_FILE;
  await mkdir(dirname(file), { recursive: true });
  // It may hold API keys.
  await replaceFile(file, withSetting(text, profile, name, value), 0o600);
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
