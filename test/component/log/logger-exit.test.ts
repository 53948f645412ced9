import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, it } from "vitest";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const LINES = 20_000;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "lighterman-log-"));
  await writeFile(
    join(directory, "main.ts"),
    `import { createLogger } from ${JSON.stringify(join(root, "src/log/logger.ts"))};
     import { openLogStream } from ${JSON.stringify(join(root, "src/log/log-stream.ts"))};
     import { Redactor } from ${JSON.stringify(join(root, "src/log/redactor.ts"))};
     const stream = openLogStream(1);
     process.on("exit", () => stream.flushSync());
     const logger = createLogger({ format: process.argv[2] as "json", level: "info", stream, redactor: new Redactor() });
     for (let n = 0; n < ${LINES}; n += 1) logger.info({ n }, "a line that must not be lost");
     process.exit(3);`,
  );
  await build({
    entryPoints: [join(directory, "main.ts")],
    outfile: join(directory, "main.mjs"),
    bundle: true,
    platform: "node",
    format: "esm",
    nodePaths: [join(root, "node_modules")],
    banner: {
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
    },
  });
});

afterAll(() => rm(directory, { recursive: true, force: true }));

describe.for(["pretty", "json"])("%s lines before process.exit", (format) => {
  it("all reach a pipe", async ({ expect }) => {
    const program = promisify(execFile)(process.execPath, [join(directory, "main.mjs"), format], {
      maxBuffer: 1 << 26,
    });
    const ended = await program.then(
      () => expect.fail("it should exit with 3"),
      (error: unknown) => error as { code: number; stdout: string },
    );
    expect(ended.code).toBe(3);
    expect(ended.stdout.split("\n")).toHaveLength(LINES + 1);
  });

  it("do not keep a worker from ending when the reader is gone", async ({ expect }) => {
    const { stdout } = await promisify(execFile)("bash", [
      "-c",
      `"$0" "$1" ${format} | head -n 1; echo "status \${PIPESTATUS[0]}"`,
      process.execPath,
      join(directory, "main.mjs"),
    ]);
    expect(stdout.split("\n")[1]).toBe("status 3");
  });

  it("all reach a file", async ({ expect }) => {
    const file = join(directory, `out-${format}.log`);
    await promisify(execFile)("sh", [
      "-c",
      `"$0" "$1" ${format} > "$2" || true`,
      process.execPath,
      join(directory, "main.mjs"),
      file,
    ]);
    expect((await readFile(file, "utf8")).split("\n")).toHaveLength(LINES + 1);
  });
});
