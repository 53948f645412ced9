import { randomUUID } from "node:crypto";

import { isJsonObject } from "../json/value.ts";
import { ApiError, UndecodableResponseError } from "./errors.ts";

import type { Json } from "../json/value.ts";

/** The token that changing requests carry. A self-hosted server may demand it; Cloud never does. */
export interface CsrfTokens {
  /** Headers for a changing request; empty once the server has said that it does not ask for tokens. */
  headers(deadlineMs: number): Promise<Readonly<Record<string, string>>>;
  /** The server refused the token: the next request asks for a new one. */
  forget(): void;
}

interface Token {
  readonly text: string;
  readonly expiresAtMs: number;
}

/**
 * Follows protocol §1.7. `fetchToken` does GET on the given path and throws an ApiError for a status other than 2xx. Requests
 * that need a token at the same time share one.
 */
export function createCsrfTokens(
  fetchToken: (path: string, deadlineMs: number) => Promise<Json>,
  options: { isEnabled: boolean; now: () => number },
): CsrfTokens {
  const client = randomUUID();
  const path = `/csrf-token?client=${client}`;
  let isEnabled = options.isEnabled;
  let token: Token | undefined;
  let pending: Promise<Token | undefined> | undefined;

  async function fetch(deadlineMs: number): Promise<Token | undefined> {
    try {
      token = readToken(await fetchToken(path, deadlineMs), path);
      return token;
    } catch (error) {
      if (!isUnsupported(error)) throw error;
      isEnabled = false;
      return undefined;
    } finally {
      pending = undefined;
    }
  }

  return {
    async headers(deadlineMs) {
      if (!isEnabled) return {};
      const isValid = token !== undefined && options.now() <= token.expiresAtMs;
      const current = isValid ? token : await (pending ??= fetch(deadlineMs));
      return current === undefined
        ? {}
        : { "prefect-csrf-token": current.text, "prefect-csrf-client": client };
    },
    forget() {
      token = undefined;
      isEnabled = options.isEnabled; // a server may demand tokens since its restart
    },
  };
}

/** True for the answer to a changing request whose token is missing or no longer valid. */
export function isCsrfRefusal(error: unknown): boolean {
  return (
    error instanceof ApiError && error.status === 403 && /(?:Invalid|Missing) CSRF token/.test(error.detail)
  );
}

function isUnsupported(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false;
  return (
    error.status === 404 || (error.status === 422 && error.detail.includes("CSRF protection is disabled."))
  );
}

function readToken(answer: Json, path: string): Token {
  if (!isJsonObject(answer) || typeof answer["token"] !== "string") {
    throw new UndecodableResponseError({
      method: "GET",
      path,
      status: 200,
      contentType: "application/json",
      snippet: "…", // the body may hold a token
      problem: "holds no token",
    });
  }
  const expiration = answer["expiration"];
  const expiresAtMs = typeof expiration === "string" ? Date.parse(expiration) : Number.NaN;
  return { text: answer["token"], expiresAtMs: Number.isNaN(expiresAtMs) ? Infinity : expiresAtMs };
}
