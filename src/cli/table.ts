import type { Paint, Style } from "./text-style.ts";

export interface Column<T> {
  readonly title: string;
  readonly value: (row: T) => string;
  readonly style?: Style | ((row: T) => Style);
  /** Columns with less weight give way first where the terminal is narrow; 0 never gives way. Default 1. */
  readonly weight?: number;
  /** Which end is cut off. Default "right". */
  readonly cut?: "left" | "right";
}

/** Ids: where there is no room their ends are shown, which differ more than their beginnings. */
export function idColumn<T extends { readonly id: string }>(): Column<T> {
  return { title: "ID", value: ({ id }) => id, style: "cyan", cut: "left" };
}

const GAP = 2;
const NARROWEST = 6;

/** Rows for other programs: one a line, the cells parted by tabs, nothing cut off. */
export function plainTable<T>(rows: readonly T[], columns: readonly Column<T>[]): string {
  return rows.map((row) => `${columns.map(({ value }) => oneLine(value(row))).join("\t")}\n`).join("");
}

/** Rows for a terminal of that width: with titles and colours, the cells cut with … where they do not fit. */
export function terminalTable<T>(
  rows: readonly T[],
  columns: readonly Column<T>[],
  { width, paint }: { readonly width: number; readonly paint: Paint },
): string {
  const cells = rows.map((row) => columns.map(({ value }) => oneLine(value(row))));
  const widths = fit(
    columns.map(({ title }, index) =>
      Math.max(...[title, ...cells.map((line) => line[index] ?? "")].map((text) => textWidth(text))),
    ),
    columns.map(({ weight }) => weight ?? 1),
    width,
  );
  const line = (texts: readonly string[], styleOf: (index: number) => Style): string =>
    texts
      .map((text, index) => {
        const cut = truncate(text, widths[index] ?? 0, columns[index]?.cut ?? "right");
        const padding = index === texts.length - 1 ? "" : " ".repeat((widths[index] ?? 0) - textWidth(cut));
        return paint(styleOf(index), cut) + padding;
      })
      .join(" ".repeat(GAP))
      .concat("\n");
  const head = line(
    columns.map(({ title }) => title),
    () => "bold",
  );
  const body = rows.map((row, number) =>
    line(cells[number] ?? [], (index) => {
      const style = columns[index]?.style ?? "reset";
      return typeof style === "function" ? style(row) : style;
    }),
  );
  return head + body.join("");
}

/** Narrows the widest columns of the least weight until all fit, or nothing can give way any more. */
function fit(natural: readonly number[], weights: readonly number[], width: number): number[] {
  const widths = [...natural];
  let excess = widths.reduce((sum, each) => sum + each + GAP, -GAP) - width;
  while (excess > 0) {
    const yielding = widths
      .map((each, index) => ({ each, index, weight: weights[index] ?? 1 }))
      .filter(({ each, weight }) => weight > 0 && each > NARROWEST)
      .sort((a, b) => b.each / b.weight - a.each / a.weight);
    const [widest] = yielding;
    if (widest === undefined) break;
    widths[widest.index] = widest.each - 1;
    excess -= 1;
  }
  return widths;
}

function truncate(text: string, width: number, end: "left" | "right"): string {
  if (textWidth(text) <= width) return text;
  if (end === "left") return `…${text.slice(text.length - width + 1)}`;
  let cut = "";
  let used = 1;
  for (const character of text) {
    used += textWidth(character);
    if (used > width) break;
    cut += character;
  }
  return `${cut}…`;
}

const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;

/** Columns that a text takes on a terminal. */
function textWidth(text: string): number {
  let width = 0;
  for (const character of text) if (!/\p{M}/u.test(character)) width += WIDE.test(character) ? 2 : 1;
  return width;
}

/** Without what would break the line or drive the terminal. */
function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, " ");
}
