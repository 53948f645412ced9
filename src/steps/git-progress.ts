const PROGRESS =
  /^(?:remote: )?(?:Enumerating|Counting|Compressing|Receiving|Resolving|Unpacking|Updating|Filtering|Checking|Expanding|Finding|Writing)\b.*\d/;

/** A line of git's progress meter: "Receiving objects:  42% (21/50), 1.20 MiB | 600.00 KiB/s". */
function isProgress(line: string): boolean {
  return PROGRESS.test(line);
}

/** A line that stays on a terminal's screen; the meter's steps before "done." are written over there. */
export function isLasting(line: string): boolean {
  return line.trim() !== "" && (!isProgress(line) || /\bdone\.\s*$/.test(line));
}

/** Git's messages without its progress meter. */
export function withoutProgress(stderr: string): readonly string[] {
  return stderr
    .split(/[\r\n]+/)
    .map((line) => line.trimEnd())
    .filter((line) => line !== "" && !isProgress(line));
}
