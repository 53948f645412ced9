import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";

import { call, reasonText } from "../api/client.ts";
import { openLiveSocket } from "../api/live-socket.ts";
import { SearchField } from "../runs/filter-bar.tsx";
import { Icon } from "../shell/icon.tsx";
import { useShortcuts } from "../shell/shortcuts.ts";
import { attempt } from "../shell/toasts.tsx";
import { LogFeed, filterLines, levelName, logText, markedParts, plainMessage } from "./log-feed.ts";

import type { JSX } from "preact";

import type { LogLine } from "../api/types.ts";

const PAGE = 200;
const FIRST_PAGES = 5;
const MOST = 20_000;
const CHUNK = 100;
const AT_END_PX = 24;
const OVERLAP_MS = 1000;

export interface LogsProps {
  readonly runId: string;
  readonly runName: string;
  readonly isOver: boolean;
  /** Names of the run's tasks by id. */
  readonly taskNames: ReadonlyMap<string, string>;
  /** Only the lines of this task; `onAllTasks` takes that away. */
  readonly taskRunId: string | undefined;
  readonly onAllTasks: () => void;
}

/** A run's logs, following live. */
export function Logs(props: LogsProps): JSX.Element {
  const { runId, runName, isOver, taskNames, taskRunId, onAllTasks } = props;
  const { lines, hasEarlier, loadEarlier, problem } = useLogs(runId);
  const [level, setLevel] = useState(0);
  const [text, setText] = useState("");
  const [isFollowing, setIsFollowing] = useState(true);
  const box = useRef<HTMLDivElement>(null);
  const search = text.toLowerCase();
  const shown = useMemo(
    () => filterLines(lines, { level, text: search, taskRunId }),
    [lines, level, search, taskRunId],
  );

  useLayoutEffect(() => {
    if (isFollowing && box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [shown, isFollowing]);
  useShortcuts({ f: () => setIsFollowing(true) });

  function onScroll(): void {
    if (box.current === null) return;
    const { scrollTop, scrollHeight, clientHeight } = box.current;
    setIsFollowing(scrollHeight - scrollTop - clientHeight < AT_END_PX);
  }

  return (
    <section class="card logs" aria-labelledby="logs">
      <div class="card-head">
        <h2 id="logs">Logs</h2>
        <span class="muted">
          {shown.length === lines.length ? lines.length : `${shown.length} of ${lines.length}`}
          {hasEarlier && "+"}
        </span>
        {taskRunId !== undefined && (
          <button type="button" class="tag" onClick={onAllTasks} aria-label="Show the logs of all tasks">
            {taskNames.get(taskRunId) ?? "task"} ×
          </button>
        )}
        <span class="spread" />
        <SearchField text={text} label="Search" onChange={setText} />
        <select
          aria-label="Lowest level"
          value={String(level)}
          onChange={({ currentTarget }) => setLevel(Number(currentTarget.value))}
        >
          <option value="0">All levels</option>
          <option value="20">Info and above</option>
          <option value="30">Warning and above</option>
          <option value="40">Error and above</option>
        </select>
        <button
          type="button"
          class="icon-button"
          aria-label="Download the logs"
          title="Download the logs"
          onClick={() => void attempt("The logs could not be read", () => download(runId, runName))}
        >
          <Icon name="download" />
        </button>
      </div>
      {problem !== undefined && <p class="error-note">{problem}</p>}
      <div
        class="log-box"
        ref={box}
        onScroll={onScroll}
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label={`Logs of ${runName}`}
      >
        {hasEarlier && (
          <button type="button" class="plain earlier" onClick={loadEarlier}>
            Earlier lines
          </button>
        )}
        {chunksOf(shown).map((chunk) => (
          <LogChunk key={chunk[0]?.id} lines={chunk} search={search} taskNames={taskNames} />
        ))}
        {shown.length === 0 && (
          <p class="muted none">
            {lines.length > 0
              ? "No line is like that."
              : isOver
                ? "This run has left no logs."
                : "No logs yet: they appear here as they come."}
          </p>
        )}
      </div>
      {!isFollowing && (
        <button type="button" class="button follow" onClick={() => setIsFollowing(true)}>
          <Icon name="down" /> {isOver ? "To the end" : "Follow"}
        </button>
      )}
    </section>
  );
}

interface ChunkProps {
  readonly lines: readonly LogLine[];
  readonly search: string;
  readonly taskNames: ReadonlyMap<string, string>;
}

// A chunk that is complete is never drawn again, and not even laid out while it is not seen.
function LogChunk({ lines, search, taskNames }: ChunkProps): JSX.Element {
  return useMemo(
    () => (
      <div class="log-chunk">
        {lines.map((line) => (
          <div key={line.id} class="log-line" data-level={levelName(line.level)}>
            <time dateTime={line.timestamp}>{clockOf(line.timestamp)}</time>
            <span class="log-level">{levelName(line.level)}</span>
            <span class="log-message">
              {line.task_run_id !== null && (
                <span class="log-task">{taskNames.get(line.task_run_id) ?? "task"} </span>
              )}
              {markedParts(plainMessage(line.message), search).map((part, index) =>
                part.isMarked ? <mark key={index}>{part.text}</mark> : part.text,
              )}
            </span>
          </div>
        ))}
      </div>
    ),
    [lines.length, lines.at(-1)?.id, search, taskNames],
  );
}

interface LiveLogs {
  readonly lines: readonly LogLine[];
  readonly hasEarlier: boolean;
  readonly loadEarlier: () => void;
  readonly problem: string | undefined;
}

function useLogs(runId: string): LiveLogs {
  const feed = useRef(new LogFeed(MOST));
  const [lines, setLines] = useState<readonly LogLine[]>([]);
  const [hasEarlier, setHasEarlier] = useState(false);
  const [problem, setProblem] = useState<string>();

  /** Returns whether some of the lines were new. */
  function take(more: readonly LogLine[]): boolean {
    const hasNew = feed.current.add(more);
    if (hasNew) setLines(feed.current.lines);
    return hasNew;
  }

  useEffect(() => {
    let isCurrent = true;
    let again: number | undefined;
    feed.current = new LogFeed(MOST);
    setLines([]);
    async function readLatest(): Promise<void> {
      try {
        for (let page = 0; page < FIRST_PAGES; page += 1) {
          const read = await readLogs(runId, "TIMESTAMP_DESC", page * PAGE);
          if (!isCurrent) return;
          const hasNew = take(read);
          if (page === 0) setProblem(undefined);
          if (read.length < PAGE) setHasEarlier(false);
          if (read.length < PAGE || !hasNew) return;
        }
        setHasEarlier(true);
      } catch (thrown) {
        if (isCurrent) setProblem(reasonText(thrown));
      }
    }
    const close = openLiveSocket<LogLine>({
      path: "/logs/out",
      filter: () => ({ flow_run_id: { any_: [runId] } }),
      field: "log",
      onItems: take,
      // What was written before, or while the subscription was lost; once more for what came while it was being made.
      onOpen() {
        void readLatest();
        again = window.setTimeout(() => void readLatest(), OVERLAP_MS);
      },
      onLost: () => undefined,
    });
    return () => {
      isCurrent = false;
      window.clearTimeout(again);
      close();
    };
  }, [runId]);

  async function loadEarlier(): Promise<void> {
    await attempt("The logs could not be read", async () => {
      const read = await readLogs(runId, "TIMESTAMP_DESC", feed.current.lines.length);
      take(read);
      setHasEarlier(read.length === PAGE && !feed.current.hasDropped);
    });
  }

  return { lines, hasEarlier, loadEarlier: () => void loadEarlier(), problem };
}

/** A page of the run's lines, counted from either end; always in the order of time. */
async function readLogs(
  runId: string,
  sort: "TIMESTAMP_ASC" | "TIMESTAMP_DESC",
  offset: number,
): Promise<readonly LogLine[]> {
  const lines = await call<readonly LogLine[]>("POST", "/logs/filter", {
    logs: { flow_run_id: { any_: [runId] } },
    sort,
    limit: PAGE,
    offset,
  });
  return sort === "TIMESTAMP_ASC" ? lines : lines.toReversed();
}

async function download(runId: string, runName: string): Promise<void> {
  const texts: string[] = [];
  for (let offset = 0; ; offset += PAGE) {
    const page = await readLogs(runId, "TIMESTAMP_ASC", offset);
    texts.push(logText(page));
    if (page.length < PAGE) break;
  }
  const url = URL.createObjectURL(new Blob(texts, { type: "text/plain" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `${runName}.log`;
  link.click();
  URL.revokeObjectURL(url);
}

function chunksOf(lines: readonly LogLine[]): readonly (readonly LogLine[])[] {
  const chunks: (readonly LogLine[])[] = [];
  for (let from = 0; from < lines.length; from += CHUNK) chunks.push(lines.slice(from, from + CHUNK));
  return chunks;
}

const CLOCK = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
});

function clockOf(timestamp: string): string {
  return CLOCK.format(new Date(timestamp));
}
