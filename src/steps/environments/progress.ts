/** How the lines begin by which a run's log tells that an environment is being made. */
export const PROGRESS_PREFIX = "Building the Python environment: ";

/** Reads what pip or uv write while they install, and says in a few words where they are. */
export class InstallProgress {
  #doing = "making it";
  readonly #packages = new Set<string>();

  see(line: string): void {
    const text = line.trim();
    const collecting = /^Collecting ([\w.-]+)/.exec(text)?.[1];
    if (collecting !== undefined) {
      this.#packages.add(collecting);
      this.#doing = `looking for ${collecting}`;
      return;
    }
    const [, file, size] = /^(?:Downloading|Using cached) (\S+) \(([\d.]+ ?\w+)\)/.exec(text) ?? [];
    if (file !== undefined && !file.endsWith(".metadata")) {
      this.#doing = `${text.startsWith("D") ? "downloading" : "taking"} ${packageOf(file)} (${size ?? ""})`;
      return;
    }
    if (text.startsWith("WARNING: Retrying "))
      this.#doing = "asking the package index again, which does not answer";
    const building = /^\s*Building wheels? for (?:collected packages: )?([\w.-]+)/.exec(text)?.[1];
    if (building !== undefined) this.#doing = `compiling ${building}`;
    const installing = /^Installing collected packages: (.+)$/.exec(text)?.[1]?.split(", ");
    if (installing !== undefined) this.#doing = `installing ${installing.length} packages`;
    const uv = /^(Resolved|Prepared) (\d+) packages?/.exec(text);
    if (uv !== null)
      this.#doing = `${uv[1] === "Resolved" ? "downloading" : "installing"} ${uv[2] ?? ""} packages`;
  }

  begin(doing: string): void {
    this.#doing = doing;
  }

  /** `downloading pydantic_core (2.1 MB), 34 packages so far, 12 s` */
  text(elapsedMs: number): string {
    const count = this.#packages.size;
    const isCounting = count > 1 && !this.#doing.includes("packages");
    return [
      this.#doing,
      ...(isCounting ? [`${count} packages so far`] : []),
      `${Math.round(elapsedMs / 1000)} s`,
    ].join(", ");
  }
}

/** The package's name in that of its file. */
function packageOf(file: string): string {
  const name = file.split("/").at(-1) ?? file;
  return /^(.+?)-\d/.exec(name)?.[1] ?? name;
}
