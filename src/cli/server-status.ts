import { textOf } from "../api/fields.ts";
import { exitCodeOf, listenForSignals } from "../lifecycle/shutdown.ts";
import { systemClock } from "../lifecycle/clock.ts";
import { startLoop } from "../lifecycle/loop.ts";
import { localApiUrl } from "./embedded-server.ts";
import { createOutput } from "./output.ts";
import { readSettings, sessionOf } from "./session.ts";

import type { FlagValues } from "../config/flags.ts";
import type { JsonObject } from "../json/value.ts";
import type { Io } from "./io.ts";
import type { OutputFlags } from "./output.ts";
import type { Session } from "./session.ts";

export interface StatusFlags extends FlagValues, OutputFlags {
  readonly wait?: boolean;
  /** Seconds; 0 for ever. */
  readonly timeout?: number;
}

const LONGEST_ANSWER_MS = 5000;
const RETRY_MS = 500;

/**
 * What `lighterman server status` does: asks the configured server, or the one on this machine, whether it is well. Returns the exit
 * status.
 */
export async function tellServerStatus(io: Io, flags: StatusFlags): Promise<number> {
  const settings = await readSettings(io, flags);
  const { config } = settings;
  const url = config.api.url ?? localApiUrl(config);
  const authString = config.api.authString ?? config.server.authString;
  const session = sessionOf({ ...settings, config: { ...config, api: { ...config.api, url, authString } } });
  const ending = new AbortController();
  let stoppedBy: NodeJS.Signals | undefined;
  const unlisten = listenForSignals(io.signals, {
    first(signal) {
      stoppedBy = signal;
      ending.abort();
    },
    second: (signal) => io.exit(exitCodeOf(signal)),
    third: (code) => io.exit(code),
  });
  const { timeout = 0 } = flags;
  const timer = timeout > 0 ? setTimeout(() => ending.abort(), timeout * 1000) : undefined;
  try {
    const status = await askUntil(session, flags.wait === true, ending.signal);
    if (stoppedBy !== undefined) return exitCodeOf(stoppedBy);
    const output = createOutput(io, flags);
    const { isAvailable, text } = describe(status);
    output.done(status, output.paint(isAvailable ? "green" : "red", text));
    return isAvailable ? 0 : 1;
  } finally {
    clearTimeout(timer);
    unlisten();
    await session.close();
  }
}

/** In Prefect's words (prefect/cli/server.py: status). */
async function askUntil(
  { client, apiUrl }: Session,
  isPatient: boolean,
  signal: AbortSignal,
): Promise<JsonObject> {
  let status: JsonObject = { status: "timed_out", api_url: apiUrl, error: "it did not answer in time" };
  const answered = new AbortController();
  await startLoop(
    async (running) => {
      const call = { retries: 0, deadlineMs: LONGEST_ANSWER_MS, signal: running };
      await client.health(call);
      const version = await client.readVersion(call).catch(() => null);
      status = {
        status: "available",
        api_url: apiUrl,
        ...(version === null ? {} : { server_version: version }),
      };
      answered.abort();
    },
    {
      intervalMs: RETRY_MS,
      maxIntervalMs: RETRY_MS,
      clock: systemClock,
      signal: AbortSignal.any([signal, answered.signal]),
      onError({ message }) {
        status = { status: isPatient ? "timed_out" : "unavailable", api_url: apiUrl, error: message };
        if (!isPatient) answered.abort();
      },
    },
  ).done;
  return status;
}

function describe(status: JsonObject): { readonly isAvailable: boolean; readonly text: string } {
  const url = textOf(status, "api_url") ?? "";
  const version = textOf(status, "server_version");
  if (status["status"] === "available") {
    return { isAvailable: true, text: `The server at ${url} is available, version ${version ?? "unknown"}.` };
  }
  return { isAvailable: false, text: `The server is not available. ${textOf(status, "error") ?? ""}` };
}
