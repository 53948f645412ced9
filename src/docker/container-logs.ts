import { FrameDecoder } from "./log-frames.ts";
import { TerminalEntries } from "./terminal-entries.ts";
import { nanosecondsOf } from "./timestamp.ts";

import type { DockerEngine } from "./engine.ts";
import type { OutputStream } from "./log-frames.ts";

/** One piece of a container's output as the engine has kept it: mostly a line, of a long line 16 KiB. */
export interface LogEntry {
  /** When the engine got it: RFC 3339 with nanoseconds; the order of the texts is that of the times. */
  readonly timestamp: string;
  readonly stream: OutputStream;
  /** With its newline, if it has one. */
  readonly bytes: Buffer;
}

export interface ContainerLogsOptions {
  readonly id: string;
  /** With a TTY the output comes without frames, and all as stdout. */
  readonly tty: boolean;
  /** Go on until the container ends. */
  readonly follow: boolean;
  /** Only entries of this time and later ones; a timestamp as entries have it. */
  readonly since?: string | undefined;
  readonly tail?: number | undefined;
  readonly onEntry: (entry: LogEntry) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads a container's output, from its start on or from `since`. Resolves at its end. Rejects with ENGINE_UNREACHABLE when
 * the connection breaks, with an EngineStatusError for a container that is not there or keeps no logs.
 */
export async function readContainerLogs(engine: DockerEngine, options: ContainerLogsOptions): Promise<void> {
  const { id, tty, follow, since, tail, onEntry, signal } = options;
  const { body } = await engine.stream({
    method: "GET",
    path: `/containers/${encodeURIComponent(id)}/logs`,
    query: {
      follow,
      stdout: true,
      stderr: true,
      timestamps: true,
      since: since === undefined ? undefined : unixTime(since),
      tail,
    },
    what: "The container's output could not be read",
    timeoutMs: follow ? 0 : undefined,
    signal,
  });
  const entries = new TerminalEntries((bytes) => deliver(bytes, "stdout", onEntry));
  const frames = new FrameDecoder((bytes, stream) => deliver(bytes, stream, onEntry));
  try {
    for await (const chunk of body) {
      if (tty) entries.write(chunk as Buffer);
      else frames.write(chunk as Buffer);
    }
    entries.end();
  } catch (thrown) {
    signal?.throwIfAborted();
    throw engine.broken(thrown);
  }
}

const SPACE = 0x20;

function deliver(bytes: Buffer, stream: OutputStream, onEntry: (entry: LogEntry) => void): void {
  const at = bytes.indexOf(SPACE);
  if (at === -1) return; // no entry of the engine's
  onEntry({ timestamp: bytes.toString("latin1", 0, at), stream, bytes: bytes.subarray(at + 1) });
}

/** `2026-01-02T03:04:05.000000006Z` → `1767323045.000000006`, as the engine's `since` wants it. */
export function unixTime(timestamp: string): string {
  const nanoseconds = nanosecondsOf(timestamp);
  return `${nanoseconds / 1_000_000_000n}.${String(nanoseconds % 1_000_000_000n).padStart(9, "0")}`;
}
