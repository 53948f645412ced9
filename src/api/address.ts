import { WorkerError } from "../errors.ts";

/** The API's root, taken apart. */
export interface ApiAddress {
  /** Without user and password, and without a slash at its end: safe to print. */
  readonly url: string;
  readonly origin: string;
  /** Path of the API root, such as `/api`; empty when the API is at the top. */
  readonly basePath: string;
  readonly isTls: boolean;
  /** Prefect Cloud rather than a server of somebody's own. */
  readonly isCloud: boolean;
  /** `user:password` that stood in the URL, decoded. */
  readonly userInfo: string | null;
}

/** Reads PREFECT_API_URL. Throws CONFIG_INVALID without repeating a password that the text may hold. */
export function parseApiAddress(text: string): ApiAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new WorkerError("CONFIG_INVALID", `"${withoutUserInfo(text)}" is no address of a Prefect API`, {
      hint: "Set PREFECT_API_URL to something like http://127.0.0.1:4200/api.",
    });
  }
  const basePath = url.pathname.replace(/\/+$/, "");
  return {
    url: url.origin + basePath,
    origin: url.origin,
    basePath,
    isTls: url.protocol === "https:",
    isCloud: /(?:^|\.)prefect\.cloud$/.test(url.hostname),
    userInfo: userInfoOf(url),
  };
}

/** `user:password` of a URL, decoded; null when it has none. */
export function userInfoOf(url: URL): string | null {
  if (url.username === "" && url.password === "") return null;
  return `${decode(url.username)}:${decode(url.password)}`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a lone % is meant literally
  }
}

function withoutUserInfo(text: string): string {
  return text.replace(/^([^/]*\/\/)?[^/@]*@/, "$1");
}
