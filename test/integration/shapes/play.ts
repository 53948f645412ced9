import { isDeepStrictEqual } from "node:util";

import { until } from "../../support/deadline.ts";
import { at } from "./call.ts";
import { normalised } from "./normalise.ts";

import type { Answer, Call } from "./call.ts";

const MISSING = "00000000-0000-4000-8000-000000000000";

/** A server to play against. */
export interface Player {
  /** API root. */
  readonly url: string;
  /** `user:password` of the server. */
  readonly auth: string;
}

/** Plays the calls in their order; returns the answers in the same order. */
export async function play(player: Player, calls: readonly Call[]): Promise<readonly Answer[]> {
  const saved = new Map<string, string>([["missing", MISSING]]);
  const answers: Answer[] = [];
  for (const call of calls) {
    const raw = await until(`${call.request} answers as wanted`, () => attempt(player, call, saved), {
      timeoutMs: 30_000,
    });
    for (const [name, place] of Object.entries(call.saves ?? {})) {
      const value = at(raw.body, place);
      // Without it later calls fail; the comparison shows where that began.
      saved.set(name, typeof value === "string" ? value : `no-${name}`);
    }
    answers.push({ ...raw, body: normalised(raw.body, saved) });
  }
  return answers;
}

/** Undefined: not yet. */
async function attempt(
  { url, auth }: Player,
  call: Call,
  saved: ReadonlyMap<string, string>,
): Promise<Answer | undefined> {
  const [method = "", path = ""] = filled(call.request, saved).split(" ", 2);
  const body = call.text ?? (call.body === undefined ? undefined : JSON.stringify(call.body));
  const response = await fetch(path.startsWith("/") ? url + path : path, {
    method,
    redirect: "follow",
    headers: {
      authorization: `Basic ${Buffer.from(auth).toString("base64")}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...call.headers,
    },
    ...(body === undefined ? {} : { body: filled(body, saved) }),
  });
  const text = await response.text();
  // SQLite of the real server was busy.
  if (response.status === 503) return undefined;
  const type = (response.headers.get("content-type") ?? "").replace(/;.*/, "");
  const answer = {
    request: `${method} ${path.replace(url, "")}`,
    status: response.status,
    type,
    body: type === "application/json" ? JSON.parse(text) : text,
  };
  const isThere = Object.entries(call.until ?? {}).every(([place, value]) =>
    isDeepStrictEqual(at(answer.body, place), value),
  );
  return isThere ? answer : undefined;
}

function filled(text: string, saved: ReadonlyMap<string, string>): string {
  return text.replaceAll(/<(\w+)>/g, (_match, name: string) => {
    const value = saved.get(name);
    if (value === undefined) throw new Error(`Nothing was saved as <${name}>`);
    return value;
  });
}
