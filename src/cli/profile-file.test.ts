import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, onTestFinished } from "vitest";

import { setInProfile } from "./profile-file.ts";

/** The file after a setting was written to it. */
async function after(text: string | undefined, profile: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "profile-file-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const file = join(directory, "home", "profiles.toml");
  if (text !== undefined) {
    await setInProfile({ file, profile }, "PREFECT_X", "first");
    await writeFile(file, text);
  }
  await setInProfile({ file, profile }, "PREFECT_X", 'a"b');
  return readFile(file, "utf8");
}

const TWO = `active = "one" # mine
[profiles.one]
# kept
PREFECT_API_URL = "http://one/api"

[profiles."my two"]
PREFECT_X = "old"
PREFECT_Y = "z"
`;

describe("setInProfile", () => {
  it("adds a setting, and leaves everything else as it is", async ({ expect }) => {
    expect(await after(TWO, "one")).toBe(
      TWO.replace("[profiles.one]\n", '[profiles.one]\nPREFECT_X = "a\\"b"\n'),
    );
  });

  it("changes one that is there, in that profile only", async ({ expect }) => {
    expect(await after(TWO, "my two")).toBe(TWO.replace('PREFECT_X = "old"', 'PREFECT_X = "a\\"b"'));
  });

  it("makes a profile, and the file", async ({ expect }) => {
    expect(await after(TWO, "three")).toBe(`${TWO}\n[profiles."three"]\nPREFECT_X = "a\\"b"\n`);
    expect(await after(undefined, "ephemeral")).toContain('[profiles.ephemeral]\nPREFECT_X = "a\\"b"\n');
  });
});
