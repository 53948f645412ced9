import { useCallback, useEffect, useRef, useState } from "preact/hooks";

import { ApiError, call } from "../api/client.ts";
import { names, readNames } from "../api/names.ts";
import { connectionCount, useEvents } from "../live/connection.ts";
import { useStore } from "../live/store.ts";
import { Histories } from "./histories.ts";
import { RunCollection } from "./run-collection.ts";
import { RANGES, apiFilterOf } from "./run-filter.ts";

import type { FlowRun, JsonObject, LiveEvent } from "../api/types.ts";
import type { RunFilter } from "./run-filter.ts";

export interface Runs {
  /** The latest first. */
  readonly runs: readonly FlowRun[];
  /** Whether the first page is there. */
  readonly isLoaded: boolean;
  readonly hasMore: boolean;
  readonly loadMore: () => void;
  readonly histories: Histories;
  readonly error: ApiError | undefined;
}

const PAGE = 200;
/** Runs that are due soon are held ready: nothing is announced when their time comes. */
const AHEAD_MS = 10 * 60_000;
const REFRESH_MS = 5 * 60_000;
const CHANGES_MS = 150;
const ACTIVE = ["PENDING", "RUNNING", "PAUSED", "CANCELLING"];

/** Events of runs, without those of their tasks; heartbeats change nothing. */
const RUN_EVENTS: JsonObject = {
  event: {
    prefix: ["prefect.flow-run."],
    exclude_prefix: ["prefect.flow-run.heartbeat"],
  },
};

/** The runs of a filter's span, in pages, kept up live. */
export function useRuns(filter: RunFilter): Runs {
  const [state, setState] = useState({ isLoaded: false, hasMore: false });
  const [error, setError] = useState<ApiError>();
  const [, redraw] = useState(0);
  // The same filter is another object at each drawing.
  const key = JSON.stringify(filter);
  const source = useRef<RunSource | undefined>(undefined);
  const connections = useStore(connectionCount);

  useEffect(() => {
    let frame = 0;
    const current = new RunSource(filter, {
      onChange() {
        frame ||= requestAnimationFrame(() => {
          frame = 0;
          redraw((count) => count + 1);
        });
      },
      onPage: (hasMore) => setState({ isLoaded: true, hasMore }),
      onError: setError,
    });
    source.current = current;
    setState({ isLoaded: false, hasMore: false });
    current.start();
    return () => {
      cancelAnimationFrame(frame);
      current.close();
    };
  }, [key]);

  useEffect(() => {
    if (connections > 0) source.current?.refresh();
  }, [connections]);

  useEvents(RUN_EVENTS, (events) => source.current?.take(events));

  return {
    ...state,
    runs: source.current?.collection.sorted ?? [],
    histories: source.current?.histories ?? NO_HISTORIES,
    error,
    loadMore: useCallback(() => source.current?.loadMore(), []),
  };
}

const NO_HISTORIES = new Histories(() => false);

interface Listeners {
  readonly onChange: () => void;
  readonly onPage: (hasMore: boolean) => void;
  readonly onError: (error: ApiError | undefined) => void;
}

/** Reads the runs of one filter. */
class RunSource {
  readonly collection = new RunCollection();
  readonly histories: Histories;
  readonly #filter: RunFilter;
  readonly #listeners: Listeners;
  readonly #closing = new AbortController();
  readonly #changed = new Set<string>();
  #next: { readonly before: string; readonly offset: number } | undefined;
  #isLoading = false;
  #changesTimer: number | undefined;
  #refreshTimer: number | undefined;

  constructor(filter: RunFilter, listeners: Listeners) {
    this.#filter = filter;
    this.#listeners = listeners;
    this.histories = new Histories(({ deployment_id: id }) => {
      const deployment = id === null ? null : names.value.deployments.get(id);
      return deployment === undefined || (deployment?.pull_steps?.length ?? 0) > 0;
    });
    this.histories.version.watch(listeners.onChange);
  }

  start(): void {
    this.refresh();
    this.#refreshTimer = window.setInterval(() => {
      if (!document.hidden) this.refresh();
    }, REFRESH_MS);
  }

  close(): void {
    this.#closing.abort();
    this.histories.close();
    window.clearInterval(this.#refreshTimer);
    window.clearTimeout(this.#changesTimer);
  }

  /** Reads the newest page anew, and the runs that were at work before the span began. */
  refresh(): void {
    this.histories.markStale();
    void this.#guard(async () => {
      const now = Date.now();
      const from = isoOf(now - RANGES[this.#filter.range]);
      const earlier = { before_: from };
      const [page, active, ended] = await Promise.all([
        this.#read({ expected_start_time: { after_: from, before_: isoOf(now + AHEAD_MS) } }),
        this.#filter.states.length > 0
          ? []
          : this.#read({ expected_start_time: earlier, state: { type: { any_: ACTIVE } } }),
        this.#read({ expected_start_time: earlier, end_time: { after_: from } }),
        readNames(),
      ]);
      this.collection.put([...active, ...ended, ...page]);
      // Pages that were read before go on being good.
      if (this.#next === undefined || page.length < PAGE) {
        this.#next = page.length < PAGE ? undefined : RunCollection.nextPage(page);
      }
      this.#listeners.onPage(this.#next !== undefined);
    });
  }

  loadMore(): void {
    const next = this.#next;
    if (next === undefined || this.#isLoading) return;
    this.#isLoading = true;
    void this.#guard(async () => {
      const after_ = isoOf(Date.now() - RANGES[this.#filter.range]);
      const page = await this.#read({ expected_start_time: { after_, before_: next.before } }, next.offset);
      this.collection.put(page);
      const following = page.length < PAGE ? undefined : RunCollection.nextPage(page);
      this.#next =
        following?.before === next.before
          ? { before: next.before, offset: next.offset + following.offset }
          : following;
      this.#listeners.onPage(this.#next !== undefined);
    }).finally(() => {
      this.#isLoading = false;
    });
  }

  /** Runs of which something has happened are read again, together. */
  take(events: readonly LiveEvent[]): void {
    this.histories.apply(events);
    for (const { resource } of events) {
      const id = resource["prefect.resource.id"] ?? "";
      if (id.startsWith("prefect.flow-run.")) this.#changed.add(id.slice("prefect.flow-run.".length));
    }
    if (this.#changed.size > 0)
      this.#changesTimer ??= window.setTimeout(() => this.#readChanged(), CHANGES_MS);
  }

  #readChanged(): void {
    this.#changesTimer = undefined;
    const ids = [...this.#changed].slice(0, PAGE);
    for (const id of ids) this.#changed.delete(id);
    void this.#guard(async () => {
      const before_ = isoOf(Date.now() + AHEAD_MS);
      const found = await this.#read({ id: { any_: ids }, expected_start_time: { before_ } });
      const foundIds = new Set(found.map(({ id }) => id));
      this.collection.remove(ids.filter((id) => !foundIds.has(id)));
      this.collection.put(found);
      if (found.some(({ deployment_id: id }) => id !== null && !names.value.deployments.has(id))) {
        await readNames();
      }
      this.#listeners.onChange();
    });
    if (this.#changed.size > 0) this.#changesTimer = window.setTimeout(() => this.#readChanged(), CHANGES_MS);
  }

  #read(narrower: JsonObject, offset = 0): Promise<readonly FlowRun[]> {
    const filter = apiFilterOf(this.#filter, narrower);
    const body = { ...filter, sort: "EXPECTED_START_TIME_DESC", limit: PAGE, offset };
    return call("POST", "/flow_runs/filter", body, this.#closing.signal);
  }

  async #guard(work: () => Promise<void>): Promise<void> {
    const { signal } = this.#closing;
    try {
      await work();
      if (!signal.aborted) this.#listeners.onError(undefined);
    } catch (thrown) {
      if (signal.aborted) return;
      this.#listeners.onError(thrown instanceof ApiError ? thrown : new ApiError(0, String(thrown)));
    }
  }
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
