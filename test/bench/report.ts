/** One figure of the bench. */
export interface Measure {
  readonly key: string;
  readonly title: string;
  readonly unit: string;
  /** Runs per second get better upwards, everything else downwards. */
  readonly higherIsBetter?: boolean;
}

export const MEASURES = [
  { key: "firstPoll", title: "command → first poll", unit: "s" },
  { key: "idleMemory", title: "idle resident memory", unit: "MiB" },
  { key: "startRun", title: "created → RUNNING, one at a time", unit: "s" },
  { key: "burst", title: "burst of 20 one-line flows", unit: "runs/s", higherIsBetter: true },
  { key: "s3", title: "pull_from_s3, 2,000 small files", unit: "s" },
  { key: "git", title: "git_clone over http", unit: "s" },
] as const satisfies readonly Measure[];

export type MeasureKey = (typeof MEASURES)[number]["key"];
export type Side = "python" | "lighterman";

/** All values that were measured, by side and measure. */
export class Samples {
  readonly #values = new Map<string, number[]>();

  add(side: Side, key: MeasureKey, value: number): void {
    const values = this.#values.get(`${side} ${key}`) ?? [];
    values.push(value);
    this.#values.set(`${side} ${key}`, values);
  }

  of(side: Side, key: MeasureKey): readonly number[] {
    return this.#values.get(`${side} ${key}`) ?? [];
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1
    ? (sorted[Math.floor(middle)] ?? Number.NaN)
    : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}

/** Medians of both sides and how many times better ours is (> 1 is better), one entry per measure that was taken. */
export function summarize(samples: Samples) {
  return (MEASURES as readonly (Measure & { readonly key: MeasureKey })[]).flatMap((measure) => {
    const python = samples.of("python", measure.key);
    const lighterman = samples.of("lighterman", measure.key);
    if (python.length + lighterman.length === 0) return [];
    const [theirs, ours] = [median(python), median(lighterman)];
    const ratio = measure.higherIsBetter === true ? ours / theirs : theirs / ours;
    return [{ ...measure, python: theirs, lighterman: ours, ratio, samples: { python, lighterman } }];
  });
}

/** A table for people. */
export function renderTable(samples: Samples): string {
  const round = (value: number) => (Number.isNaN(value) ? "–" : value.toFixed(value < 10 ? 2 : 1));
  const rows = [
    ["measure (median)", "unit", "Python 3.8.8", "Lighterman", "times better"],
    ...summarize(samples).map((row) => [
      row.title,
      row.unit,
      round(row.python),
      round(row.lighterman),
      Number.isNaN(row.ratio) ? "–" : `${round(row.ratio)} ×`,
    ]),
  ];
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, at) => (at < 2 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
        .join("  "),
    )
    .join("\n");
}
