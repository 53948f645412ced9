import { WebSocket } from "ws";

import { normalised } from "./normalise.ts";
import { play } from "./play.ts";

import type { Call } from "./call.ts";
import type { Player } from "./play.ts";

/** One WebSocket connection of the scenario. */
export interface Conversation {
  readonly title: string;
  /** Below the API. */
  readonly path: string;
  /** Called first, until its answer is as wanted. */
  readonly after?: Call;
  /** Without: no subprotocol. */
  readonly protocol?: "prefect";
  /** Sent as it opens, in this order; `<auth>` stands for the server's auth string. */
  readonly sends: readonly unknown[];
  /** Posted once so many frames have come: `[1, "/logs/", [...]]`. */
  readonly posts?: readonly [afterFrames: number, path: string, body: unknown];
  /** Closed by us after so many frames; otherwise the server closes. */
  readonly frames?: number;
}

/** What a connection came to. */
export interface Course {
  /** `open`, or the status of the refusal. */
  readonly handshake: string;
  readonly frames: readonly unknown[];
  /** By the server. */
  readonly close: string | null;
}

/** Holds a conversation with a server; rejects when it takes more than 30 s. */
export async function hold(player: Player, conversation: Conversation): Promise<Course> {
  const { path, protocol, after, sends, posts, frames: wanted } = conversation;
  if (after !== undefined) await play(player, [after]);
  const url = player.url.replace("http", "ws") + path;
  const socket = protocol === undefined ? new WebSocket(url) : new WebSocket(url, protocol);
  const frames: unknown[] = [];
  const ended = new Promise<Course>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${conversation.title} takes too long`)), 30_000);
    const settle = (handshake: string, close: string | null): void => {
      clearTimeout(timer);
      resolve({ handshake, frames: frames.map((frame) => normalised(frame, new Map())), close });
    };
    const look = (): void => {
      if (posts?.[0] === frames.length) void post(player, posts[1], posts[2]).catch(reject);
      if (wanted === frames.length) settle("open", null);
    };
    socket.on("unexpected-response", (_request, response) => settle(String(response.statusCode), null));
    socket.on("error", () => undefined);
    socket.on("open", () => {
      for (const message of sends) socket.send(JSON.stringify(message).replaceAll("<auth>", player.auth));
    });
    socket.on("message", (data) => {
      frames.push(JSON.parse((data as Buffer).toString()));
      look();
    });
    socket.on("close", (code, reason) => settle("open", `${code} ${reason.toString()}`));
  });
  try {
    return await ended;
  } finally {
    socket.terminate();
  }
}

async function post(player: Player, path: string, body: unknown): Promise<void> {
  const response = await fetch(player.url + path, {
    method: "POST",
    headers: {
      authorization: `Basic ${Buffer.from(player.auth).toString("base64")}`,
      "content-type": "application/json",
    },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${await response.text()}`);
}
