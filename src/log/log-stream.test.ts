import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "vitest";

import { openLogStream } from "./log-stream.ts";

it("writes at once, in order, and discards lines when nobody can take them", ({ expect }) => {
  const directory = mkdtempSync(join(tmpdir(), "lighterman-stream-"));
  const file = join(directory, "out");
  const fd = openSync(file, "w");
  const stream = openLogStream(fd);
  stream.write("one\n");
  stream.write("zwölf\n");
  expect(readFileSync(file, "utf8")).toBe("one\nzwölf\n");
  closeSync(fd);
  stream.write("lost\n");
  stream.flushSync(0);
  rmSync(directory, { recursive: true });
});
