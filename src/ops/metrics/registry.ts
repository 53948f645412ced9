export type Labels = Readonly<Record<string, string>>;

export interface MetricInfo {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels: readonly string[];
}

interface MetricSpec {
  readonly name: string;
  readonly help: string;
  /** Names of the labels; their values must come from a small set that is known beforehand. */
  readonly labels?: readonly string[];
}

interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

interface Family extends MetricInfo {
  readonly lines: () => readonly string[];
}

/**
 * Counters, gauges and histograms in Prometheus' text format. A few maps and no dependency, as the numbers come from elsewhere
 * and every worker with a health page would pay for a library with its memory.
 */
export class Registry {
  readonly #families: Family[] = [];

  /** Goes up only. Without labels it is shown as 0 from the start. */
  counter(spec: MetricSpec): Counter {
    const counter = new Counter(spec.labels === undefined);
    this.#add("counter", spec, () => counter.samples);
    return counter;
  }

  /** Is looked up whenever somebody asks. */
  gauge(
    spec: MetricSpec,
    read: () => readonly Sample[] | number | null,
    type: "gauge" | "counter" = "gauge",
  ): void {
    this.#add(type, spec, () => {
      const found = read();
      if (found === null) return [];
      return typeof found === "number" ? [{ labels: {}, value: found }] : found;
    });
  }

  /** `buckets`: upper bounds in ascending order, without infinity. */
  histogram(spec: MetricSpec, buckets: readonly number[]): Histogram {
    const histogram = new Histogram(buckets, spec.labels === undefined);
    this.#families.push({
      ...infoOf("histogram", spec),
      lines: () =>
        histogram.series().map(([suffix, labels, value]) => line(spec.name + suffix, labels, value)),
    });
    return histogram;
  }

  get infos(): readonly MetricInfo[] {
    return this.#families.map(({ name, type, help, labels }) => ({ name, type, help, labels }));
  }

  /** The whole page (text format 0.0.4). */
  text(): string {
    return this.#families
      .flatMap(({ name, type, help, lines }) => [
        `# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}`,
        `# TYPE ${name} ${type}`,
        ...lines(),
      ])
      .map((text) => `${text}\n`)
      .join("");
  }

  #add(type: "counter" | "gauge", spec: MetricSpec, read: () => readonly Sample[]): void {
    this.#families.push({
      ...infoOf(type, spec),
      lines: () => read().map(({ labels, value }) => line(spec.name, labels, value)),
    });
  }
}

export class Counter {
  readonly #samples = new Map<string, { readonly labels: Labels; value: number }>();

  constructor(startsAtZero: boolean) {
    if (startsAtZero) this.add({}, 0);
  }

  get samples(): readonly Sample[] {
    return [...this.#samples.values()];
  }

  add(labels: Labels = {}, amount = 1): void {
    const key = Object.values(labels).join("\0");
    const sample = this.#samples.get(key);
    if (sample === undefined) this.#samples.set(key, { labels, value: amount });
    else sample.value += amount;
  }
}

interface Distribution {
  readonly labels: Labels;
  /** By bucket, not cumulative. */
  readonly counts: number[];
  count: number;
  sum: number;
}

export class Histogram {
  readonly #buckets: readonly number[];
  readonly #distributions = new Map<string, Distribution>();

  constructor(buckets: readonly number[], startsEmpty: boolean) {
    this.#buckets = buckets;
    if (startsEmpty) this.declare({});
  }

  /** Shows it from now on, though nothing was observed yet. */
  declare(labels: Labels): Distribution {
    const key = Object.values(labels).join("\0");
    const found = this.#distributions.get(key);
    if (found !== undefined) return found;
    const distribution = { labels, counts: this.#buckets.map(() => 0), count: 0, sum: 0 };
    this.#distributions.set(key, distribution);
    return distribution;
  }

  observe(value: number, labels: Labels = {}): void {
    const distribution = this.declare(labels);
    const index = this.#buckets.findIndex((bound) => value <= bound);
    if (index !== -1) distribution.counts[index] = (distribution.counts[index] ?? 0) + 1;
    distribution.count += 1;
    distribution.sum += value;
  }

  series(): readonly (readonly [suffix: string, labels: Labels, value: number])[] {
    return [...this.#distributions.values()].flatMap(({ labels, counts, count, sum }) => {
      let below = 0;
      return [
        ...this.#buckets.map((bound, index) => {
          below += counts[index] ?? 0;
          return ["_bucket", { ...labels, le: String(bound) }, below] as const;
        }),
        ["_bucket", { ...labels, le: "+Inf" }, count] as const,
        ["_sum", labels, sum] as const,
        ["_count", labels, count] as const,
      ];
    });
  }
}

function infoOf(type: MetricInfo["type"], { name, help, labels = [] }: MetricSpec): MetricInfo {
  return { name, type, help, labels };
}

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escape(text)}"`);
  return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}`;
}

function escape(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
