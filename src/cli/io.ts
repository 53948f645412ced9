import type { Readable, Writable } from "node:stream";

import type { SignalSource } from "../lifecycle/shutdown.ts";
import type { LogStream } from "../log/log-stream.ts";

/** The world around a command; tests hand in their own. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly homeDir: string;
  /** Standard input; who does not read it must not open it. */
  readonly stdin: () => InputStream;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** Where somebody can be asked something; undefined where nobody can answer. */
  readonly terminal: () => Terminal | undefined;
  /** Where the log goes: standard error too, but nothing is lost when the process exits. */
  readonly log: LogStream;
  /** Where streamed output of flow runs goes: standard output; that nobody reads it must not end the worker. */
  readonly output: LogStream;
  readonly signals: SignalSource;
  /** Ends the process at once (third press of Ctrl-C). */
  readonly exit: (code: number) => void;
}

export interface InputStream extends AsyncIterable<string | Uint8Array> {
  readonly isTTY?: boolean;
}

export interface OutputStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  /** Width of the terminal. */
  readonly columns?: number;
  on?(event: "error", listener: (error: Error) => void): unknown;
}

/** A keyboard, and a screen that is not the command's own output. */
interface Terminal {
  readonly input: Readable;
  readonly output: Writable;
}

/** Everything that comes in, as text. */
export async function readText(stream: InputStream): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
  return Buffer.concat(chunks).toString("utf8");
}
