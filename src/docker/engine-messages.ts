import { z } from "zod";

import type { Readable } from "node:stream";
import type { DockerEngine } from "./engine.ts";

const Message = z
  .object({
    /** Of a build: what a step prints. */
    stream: z.string(),
    /** Of a pull or push: `Downloading`, of the layer `id`. */
    status: z.string(),
    id: z.string(),
    progressDetail: z.object({ current: z.number(), total: z.number() }).partial().nullable(),
    aux: z.object({ ID: z.string(), Digest: z.string() }).partial().nullable(),
    error: z.string(),
    errorDetail: z.object({ message: z.string() }).partial().nullable(),
    /** Podman's and proxies' way to say `error`. */
    message: z.string(),
  })
  .partial();

/** One line of what the engine says while it pulls, builds or pushes. */
export type EngineMessage = z.infer<typeof Message>;

/** Reads an answer of JSON lines to its end; what is none is left out. Rejects with ENGINE_UNREACHABLE when it breaks off. */
export async function* readMessages(
  engine: DockerEngine,
  body: Readable,
  signal: AbortSignal | undefined,
): AsyncGenerator<EngineMessage> {
  // One comes when the reader stops early; those that matter reach the loop.
  body.on("error", () => undefined);
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for await (const chunk of body) {
      const lines = (rest + decoder.decode(chunk as Buffer, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) yield* parseMessage(line);
    }
  } catch (thrown) {
    signal?.throwIfAborted();
    throw engine.broken(thrown);
  }
  yield* parseMessage(rest);
}

/** What went wrong, in the engine's words. */
export function errorOf(message: EngineMessage): string | undefined {
  return message.errorDetail?.message ?? message.error ?? message.message;
}

function parseMessage(line: string): EngineMessage[] {
  try {
    const message = Message.safeParse(JSON.parse(line));
    return message.success ? [message.data] : [];
  } catch {
    return [];
  }
}
