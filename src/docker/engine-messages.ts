import { createInterface } from "node:readline";
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
  // Errors of the body do not reach a reader of lines by themselves.
  let broken: unknown;
  const lines = createInterface({ input: body });
  body.once("error", (error) => {
    broken = error;
    lines.close();
  });
  try {
    for await (const line of lines) {
      const message = Message.safeParse(parse(line));
      if (message.success) yield message.data;
    }
    signal?.throwIfAborted();
    if (broken !== undefined) throw engine.broken(broken);
  } finally {
    body.destroy();
  }
}

/** What went wrong, in the engine's words. */
export function errorOf(message: EngineMessage): string | undefined {
  return message.errorDetail?.message ?? message.error ?? message.message;
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
