import type { LogLine } from "../api/types.ts";

/** Which lines are shown. */
export interface LogFilter {
  /** Python's levels: 10 debug, 20 info, 30 warning, 40 error, 50 critical. */
  readonly level: number;
  /** Lower case; a part of the message. */
  readonly text: string;
  readonly taskRunId: string | undefined;
}

/**
 * The log lines of a run in the order of time. They come live and in pages that overlap: each is taken once. At most `most` are
 * held; the oldest give way.
 */
export class LogFeed {
  readonly #most: number;
  readonly #ids = new Set<string>();
  #lines: readonly LogLine[] = [];
  #hasDropped = false;

  constructor(most: number) {
    this.#most = most;
  }

  /** Another array whenever something has changed. */
  get lines(): readonly LogLine[] {
    return this.#lines;
  }

  /** Whether older lines had to give way. */
  get hasDropped(): boolean {
    return this.#hasDropped;
  }

  /**
   * Takes lines; returns whether some of them were new. Lines of one instant stay in the order in which they come, earlier
   * pages before later ones.
   */
  add(lines: readonly LogLine[]): boolean {
    const fresh = lines.filter(({ id }) => !this.#ids.has(id));
    if (fresh.length === 0) return false;
    for (const { id } of fresh) this.#ids.add(id);
    const sorted = fresh.toSorted((a, b) => compare(a.timestamp, b.timestamp));
    const isEarlier = (sorted.at(-1)?.timestamp ?? "") <= (this.#lines[0]?.timestamp ?? "");
    const isLater = (sorted[0]?.timestamp ?? "") >= (this.#lines.at(-1)?.timestamp ?? "");
    const all = isEarlier ? [...sorted, ...this.#lines] : [...this.#lines, ...sorted];
    this.#lines = isEarlier || isLater ? all : all.toSorted((a, b) => compare(a.timestamp, b.timestamp));
    if (this.#lines.length > this.#most) {
      const dropped = this.#lines.slice(0, -this.#most);
      for (const { id } of dropped) this.#ids.delete(id);
      this.#lines = this.#lines.slice(-this.#most);
      this.#hasDropped = true;
    }
    return true;
  }
}

/** The lines that a filter lets through. */
export function filterLines(
  lines: readonly LogLine[],
  { level, text, taskRunId }: LogFilter,
): readonly LogLine[] {
  if (level <= 0 && text === "" && taskRunId === undefined) return lines;
  return lines.filter(
    (line) =>
      line.level >= level &&
      (taskRunId === undefined || line.task_run_id === taskRunId) &&
      (text === "" || line.message.toLowerCase().includes(text)),
  );
}

/** The parts of a message, those that were searched for marked. */
export function markedParts(
  message: string,
  text: string,
): readonly { readonly text: string; readonly isMarked: boolean }[] {
  if (text === "") return [{ text: message, isMarked: false }];
  const parts: { text: string; isMarked: boolean }[] = [];
  const lower = message.toLowerCase();
  let at = 0;
  for (let found = lower.indexOf(text); found !== -1; found = lower.indexOf(text, at)) {
    if (found > at) parts.push({ text: message.slice(at, found), isMarked: false });
    parts.push({ text: message.slice(found, found + text.length), isMarked: true });
    at = found + text.length;
  }
  if (at < message.length) parts.push({ text: message.slice(at), isMarked: false });
  return parts;
}

// Colours and cursor movements that programs write for a terminal.
// oxlint-disable-next-line no-control-regex -- that is what they begin with
const TERMINAL_CODES = /\u001B\[[0-9;?]*[A-Za-z]/g;

/** A message without what is meant for a terminal. */
export function plainMessage(message: string): string {
  return message.includes("\u001B") ? message.replaceAll(TERMINAL_CODES, "") : message;
}

const LEVELS: readonly (readonly [from: number, name: string])[] = [
  [50, "CRITICAL"],
  [40, "ERROR"],
  [30, "WARNING"],
  [20, "INFO"],
  [0, "DEBUG"],
];

export function levelName(level: number): string {
  return LEVELS.find(([from]) => level >= from)?.[1] ?? "DEBUG";
}

/** Lines as the text file that can be downloaded. */
export function logText(lines: readonly LogLine[]): string {
  return lines
    .map(
      ({ timestamp, level, name, message }) =>
        `${timestamp} | ${levelName(level).padEnd(8)} | ${name} - ${plainMessage(message)}\n`,
    )
    .join("");
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
