import { readLastBytes } from "../last-bytes.ts";

const LAST_BYTES = 4096;
const LAST_LINES = 5;

/** The programs of command runs have their stderr in a file of its own; last words mostly stand there. */
export function lastLines(outputFile: string): string[] {
  for (const file of [`${outputFile}.err`, outputFile]) {
    const lines = readLastBytes(file, LAST_BYTES)
      .split("\n")
      .filter((line) => line.trim() !== "");
    if (lines.length > 0) return lines.slice(-LAST_LINES);
  }
  return [];
}
