import type { SignalSource } from "../lifecycle/shutdown.ts";
import type { LogStream } from "../log/log-stream.ts";

/** The world around a command; tests hand in their own. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly homeDir: string;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** Where the log goes: standard error too, but nothing is lost when the process exits. */
  readonly log: LogStream;
  /** Where streamed output of flow runs goes: standard output; that nobody reads it must not end the worker. */
  readonly output: LogStream;
  readonly signals: SignalSource;
  /** Ends the process at once (third press of Ctrl-C). */
  readonly exit: (code: number) => void;
}

interface OutputStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  on?(event: "error", listener: (error: Error) => void): unknown;
}
