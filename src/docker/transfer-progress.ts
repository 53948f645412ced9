import type { Clock } from "../lifecycle/clock.ts";
import type { EngineMessage } from "./engine-messages.ts";

const EVERY_MS = 5000;
const DONE = /^(?:Pull complete|Already exists|Layer already exists|Pushed|Mounted from)/;

interface Layer {
  current: number;
  total: number;
  isDone: boolean;
}

/** Sums up what the engine says of the layers of one pull or push, and tells it now and then. */
export class TransferProgress {
  readonly #layers = new Map<string, Layer>();
  readonly #verb: string;
  readonly #clock: Clock;
  readonly #tell: (text: string) => void;
  #toldMs: number;

  /** `verb` begins the text: "Pulling app:1". */
  constructor(verb: string, clock: Clock, tell: (text: string) => void) {
    this.#verb = verb;
    this.#clock = clock;
    this.#tell = tell;
    this.#toldMs = clock.monotonic();
  }

  add({ id, status, progressDetail }: EngineMessage): void {
    // A pull's first line has the tag for an id.
    if (id === undefined || status === undefined || status.startsWith("Pulling from")) return;
    const layer = this.#layers.get(id) ?? { current: 0, total: 0, isDone: false };
    this.#layers.set(id, layer);
    layer.isDone ||= DONE.test(status);
    // Extracting counts from the beginning again.
    if (status === "Downloading" || status === "Pushing") {
      layer.current = Math.max(layer.current, progressDetail?.current ?? 0);
      layer.total = Math.max(layer.total, progressDetail?.total ?? 0, layer.current);
    } else if (/^(?:Download complete|Verifying|Extracting|Pull complete|Pushed)/.test(status)) {
      layer.current = layer.total;
    }
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#toldMs < EVERY_MS) return;
    this.#toldMs = nowMs;
    this.#tell(this.toString());
  }

  toString(): string {
    const layers = [...this.#layers.values()];
    const sum = (of: (layer: Layer) => number): number => layers.reduce((all, layer) => all + of(layer), 0);
    const done = layers.filter(({ isDone }) => isDone).length;
    const total = sum((layer) => layer.total);
    const bytes =
      total === 0 ? "" : `, ${megabytes(sum((layer) => layer.current))} of ${megabytes(total)} MB so far`;
    return `${this.#verb}: ${done} of ${layers.length} layers${bytes}`;
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(bytes < 10e6 ? 1 : 0);
}
