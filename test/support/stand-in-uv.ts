import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The machine's own interpreter: one of a version manager is a script that starts others. */
const PYTHON = execFileSync("python3", ["-c", "import sys; print(sys.executable)"], {
  encoding: "utf8",
}).trim();

const INSTALL = `
import glob, os, subprocess, sys, zipfile

python, files = sys.argv[4], sys.argv[6::2]
links = os.environ.get("WHEELS", "")
lines = [line.strip() for name in files for line in open(name)]
for line in [line for line in lines if line.startswith("--find-links ") and ":" not in line]:
    links = line.split()[1]
purelib = subprocess.check_output([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True).strip()
for line in lines:
    if line and line[0] not in "-#":
        name = line.split("=")[0].strip().replace("-", "_")
        wheels = glob.glob(os.path.join(links, name + "-*.whl"))
        if not wheels:
            sys.exit("  x No solution found: there is no version of " + line)
        zipfile.ZipFile(wheels[0]).extractall(purelib)
`;

/**
 * Writes a `uv` that unpacks wheels from the directory of `--find-links`, else of $WHEELS: environments are made without a
 * network, and without the seconds that pip takes. `before` is shell that goes before; `$0.log` gets a line for each call.
 */
export function writeUv(bin: string, before = ""): void {
  mkdirSync(bin, { recursive: true });
  const uv = join(bin, "uv");
  writeFileSync(`${uv}.py`, INSTALL);
  writeFileSync(uv, `#!/bin/sh\necho "$@" >> "$0.log"\n${before}\nexec ${PYTHON} "$0.py" "$@"\n`);
  chmodSync(uv, 0o755);
}
