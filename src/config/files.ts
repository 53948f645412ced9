import { readFile } from "node:fs/promises";

import type { ConfigIssue } from "./issues.ts";
import type { Table } from "./tables.ts";

/** Reads the files that settings may stand in; what is wrong with one is collected instead of thrown. */
export class SettingsFiles {
  readonly issues: ConfigIssue[] = [];
  readonly #homeDir: string;

  constructor(homeDir: string) {
    this.#homeDir = homeDir;
  }

  /** A path as people know it, with `~` for the home directory. */
  show(path: string): string {
    return path.startsWith(`${this.#homeDir}/`) ? `~${path.slice(this.#homeDir.length)}` : path;
  }

  /** The file's text; undefined when there is no such file, or when it cannot be read. `source` makes it compulsory. */
  async text(path: string, source?: string): Promise<string | undefined> {
    try {
      return await readFile(path, "utf8");
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
      const isAbsent = code === "ENOENT" || code === "ENOTDIR" || code === "EISDIR";
      if (source !== undefined || !isAbsent) {
        this.issues.push({
          key: this.show(path),
          source: source ?? "file of settings",
          found: undefined,
          expected: `a file that can be read (${code})`,
        });
      }
      return undefined;
    }
  }

  /** The file's tables; undefined when there is no such file, or when it is no TOML. */
  async toml(path: string): Promise<Table | undefined> {
    const text = await this.text(path);
    if (text === undefined) return undefined;
    const { parse, TomlError } = await import("smol-toml");
    try {
      return parse(text, { integersAsBigInt: "asNeeded" });
    } catch (error) {
      if (!(error instanceof TomlError)) throw error;
      // The message's further lines quote the file, secrets and all.
      const [reason = ""] = error.message.split("\n");
      this.issues.push({
        key: this.show(path),
        source: `line ${error.line}, column ${error.column}`,
        found: undefined,
        expected: `valid TOML (${reason.replace("Invalid TOML document: ", "")})`,
      });
      return undefined;
    }
  }
}
