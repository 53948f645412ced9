import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** The end of a file as text, however long the file is; empty for one that is not there, or was swept already. */
export function readLastBytes(path: string, maxBytes: number): string {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch {
    return "";
  }
  try {
    const { size } = fstatSync(fd);
    const buffer = Buffer.alloc(Math.min(size, maxBytes));
    const length = readSync(fd, buffer, 0, buffer.length, size - buffer.length);
    return buffer.toString("utf8", 0, length);
  } catch {
    return "";
  } finally {
    closeSync(fd);
  }
}
