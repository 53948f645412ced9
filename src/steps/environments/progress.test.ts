import { describe, it } from "vitest";

import { InstallProgress } from "./progress.ts";

describe("InstallProgress", () => {
  it("says what pip is doing", ({ expect }) => {
    const progress = new InstallProgress();
    const said: string[] = [];
    for (const line of [
      "Collecting prefect==3.8.8 (from -r requirements.txt (line 1))",
      "  Downloading prefect-3.8.8-py3-none-any.whl.metadata (13 kB)",
      "Collecting pydantic_core<3.0.0,>=2.12.0 (from prefect==3.8.8)",
      "  Downloading pydantic_core-2.50.5-cp311-cp311-manylinux_2_17_x86_64.whl (2.1 MB)",
      "  Using cached toml-0.10.2-py2.py3-none-any.whl (16 kB)",
      "Building wheels for collected packages: docopt",
      "Installing collected packages: pytz, toml, prefect",
    ]) {
      progress.see(line);
      said.push(progress.text(said.length * 1000));
    }
    expect(said).toEqual([
      "looking for prefect, 0 s",
      "looking for prefect, 1 s",
      "looking for pydantic_core, 2 packages so far, 2 s",
      "downloading pydantic_core (2.1 MB), 2 packages so far, 3 s",
      "taking toml (16 kB), 2 packages so far, 4 s",
      "compiling docopt, 2 packages so far, 5 s",
      "installing 3 packages, 6 s",
    ]);
  });

  it("says what uv is doing", ({ expect }) => {
    const progress = new InstallProgress();
    expect(progress.text(0)).toBe("making it, 0 s");
    progress.see("Resolved 105 packages in 1.52s");
    expect(progress.text(2000)).toBe("downloading 105 packages, 2 s");
    progress.see("Prepared 105 packages in 3.20s");
    expect(progress.text(5400)).toBe("installing 105 packages, 5 s");
  });
});
