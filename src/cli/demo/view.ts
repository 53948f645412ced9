import { stripVTControlCharacters } from "node:util";

import { PROGRESS_PREFIX } from "../../steps/environments/progress.ts";
import { TERMINAL_STATES } from "../../api/types.ts";
import { safe } from "../log-lines.ts";
import { painterOf, stateStyle } from "../text-style.ts";

import type { State } from "../../api/types.ts";
import type { Io, OutputStream } from "../io.ts";
import type { News } from "../run-news.ts";
import type { Paint } from "../text-style.ts";
import type { DemoRun } from "./deployments.ts";

interface Row {
  readonly run: DemoRun;
  readonly since: number;
  state: State | undefined;
  endedAt: number | undefined;
  last: string;
}

const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const FRAME_MS = 100;
const INFO = 20;
const WARNING = 30;
const ERROR = 40;

/**
 * Shows what happens in the runs: a line each, and on a terminal below them one for every run that says where it is now.
 * Close it before anything else is written to a terminal.
 */
export class DemoView {
  readonly paint: Paint;
  readonly #stream: OutputStream;
  readonly #isLive: boolean;
  #rows: Row[] = [];
  #drawn = 0;
  #frame = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(io: Pick<Io, "stdout" | "env">) {
    this.paint = painterOf(io);
    this.#stream = io.stdout;
    this.#isLive = io.stdout.isTTY === true && io.env["TERM"] !== "dumb";
  }

  /** Shows these runs from now on. */
  open(runs: readonly DemoRun[]): void {
    const since = performance.now();
    this.#rows = runs.map((run) => ({ run, since, state: undefined, endedAt: undefined, last: "" }));
    if (!this.#isLive) return;
    this.#timer = setInterval(() => {
      this.#frame += 1;
      this.#draw();
    }, FRAME_MS);
    this.#draw();
  }

  tell(run: DemoRun, news: News): void {
    const row = this.#rows.find((candidate) => candidate.run === run);
    if (row === undefined) return;
    if (news.kind === "state") {
      const { type, name } = news.state;
      row.state = news.state;
      row.last = "";
      if (TERMINAL_STATES.has(type)) row.endedAt = performance.now();
      this.#line(row, this.paint("bold", this.paint(stateStyle(type), name)));
      return;
    }
    const { level, message } = news.line;
    if (level < INFO) return;
    const lines = safe(message)
      .split("\n")
      .filter((line) => line.trim() !== "");
    row.last = stripVTControlCharacters(lines.at(-1) ?? "").replace(PROGRESS_PREFIX, "");
    if (this.#isLive && message.startsWith(PROGRESS_PREFIX)) return;
    const style = level >= ERROR ? "red" : level >= WARNING ? "yellow" : "reset";
    for (const line of lines) this.#line(row, `│ ${this.paint(style, line)}`);
  }

  /** The last state of a run that has been told; undefined when there was none. */
  stateOf(run: DemoRun): State | undefined {
    return this.#rows.find((candidate) => candidate.run === run)?.state;
  }

  /** A line of somebody else's. */
  print(line: string): void {
    this.#stream.write(`${this.#eraser()}${line}\n${this.#rowsText()}`);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#stream.write(this.#eraser());
  }

  #line(row: Row, text: string): void {
    const seconds = ((performance.now() - row.since) / 1000).toFixed(1).padStart(6);
    this.print(`${this.paint("dim", `${seconds} s`)}  ${row.run.flow.padEnd(this.#width())}  ${text}`);
  }

  #draw(): void {
    this.#stream.write(this.#eraser() + this.#rowsText());
  }

  #rowsText(): string {
    if (this.#timer === undefined) return "";
    this.#drawn = this.#rows.length;
    return this.#rows.map((row) => `${this.#rowText(row)}\n`).join("");
  }

  #rowText({ run, state, since, endedAt, last }: Row): string {
    const running = FRAMES[this.#frame % FRAMES.length] ?? "";
    const mark = endedAt === undefined ? running : state?.type === "COMPLETED" ? "✔" : "✘";
    const seconds = `${(((endedAt ?? performance.now()) - since) / 1000).toFixed(1)} s`;
    const words = [
      mark,
      run.flow.padEnd(this.#width()),
      (state?.name ?? "").padEnd(10),
      seconds.padStart(8),
      last,
    ];
    const text = words.join("  ").slice(0, (this.#stream.columns ?? 80) - 1);
    return this.paint(state === undefined ? "dim" : stateStyle(state.type), text);
  }

  /** Goes up to the first of the rows, and takes away all that follows. */
  #eraser(): string {
    const lines = this.#drawn;
    this.#drawn = 0;
    return lines > 0 ? `\u001B[${lines}A\u001B[J` : "";
  }

  #width(): number {
    return Math.max(...this.#rows.map(({ run }) => run.flow.length));
  }
}
