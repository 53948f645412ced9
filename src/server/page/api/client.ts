import { Store } from "../live/store.ts";
import { basicAuth, credentials, needsLogin } from "./credentials.ts";

import type { JsonValue } from "./types.ts";

/** An answer of the API that says no. `status` 0: there was no answer. */
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = "ApiError";
    this.status = status;
  }
}

/** Whether the last call found the server. */
export const isReachable = new Store(true);

const GIVE_UP_MS = 20_000;
const NO_ANSWER = "The server does not answer.";
/** What a server that ends, or a proxy before one that is away, answers. */
const AWAY: ReadonlySet<number> = new Set([502, 503, 504]);

/** Calls the API below `/api`. Rejects with an {@link ApiError}; a login that is missing is asked for by the page itself. */
export async function call<T>(
  method: "GET" | "POST" | "PATCH" | "DELETE",
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<T> {
  const auth = credentials.value;
  const deadline = AbortSignal.timeout(GIVE_UP_MS);
  let response: Response;
  let text: string;
  try {
    response = await fetch(`/api${path}`, {
      method,
      cache: "no-store",
      headers: {
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(auth === undefined ? {} : { authorization: basicAuth(auth) }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: signal === undefined ? deadline : AbortSignal.any([deadline, signal]),
    });
    text = await response.text();
  } catch (thrown) {
    if (signal?.aborted === true) throw thrown;
    isReachable.set(false);
    throw new ApiError(0, NO_ANSWER);
  }
  isReachable.set(!AWAY.has(response.status));
  if (!isReachable.value) throw new ApiError(0, NO_ANSWER);
  if (response.status === 401 && credentials.value === auth) needsLogin.set(true);
  if (!response.ok)
    throw new ApiError(
      response.status,
      reasonOf(text) ?? `${method} ${path} was answered ${response.status}.`,
    );
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

/** What an error's body says for people: Prefect's `detail`, or the messages of a 422. */
function reasonOf(text: string): string | undefined {
  let body: JsonValue;
  try {
    body = JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) return undefined;
  const { detail, exception_detail: details, exception_message: message } = body as Record<string, JsonValue>;
  if (typeof detail === "string") return detail;
  if (Array.isArray(details))
    return (details as readonly { msg?: string; loc?: readonly string[] }[])
      .map(({ msg, loc }) => `${(loc ?? []).slice(1).join(".")}: ${msg ?? ""}`)
      .join("; ");
  return typeof message === "string" ? message : undefined;
}

/** A text for whatever was thrown. */
export function reasonText(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
