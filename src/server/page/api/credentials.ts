import { Store } from "../live/store.ts";

const KEY = "lighterman.auth";

/** `user:password` of this tab, kept until it is closed; undefined when none was needed or given. */
export const credentials = new Store<string | undefined>(sessionStorage.getItem(KEY) ?? undefined);

/** Whether the server wants a login that it has not got. */
export const needsLogin = new Store(false);

export function logIn(authString: string): void {
  sessionStorage.setItem(KEY, authString);
  credentials.set(authString);
  needsLogin.set(false);
}

export function logOut(): void {
  sessionStorage.removeItem(KEY);
  credentials.set(undefined);
  needsLogin.set(true);
}

/** The `Authorization` header for HTTP Basic; passwords may hold any character (protocol §1.7). */
export function basicAuth(authString: string): string {
  const bytes = new TextEncoder().encode(authString);
  return `Basic ${btoa(Array.from(bytes, (byte) => String.fromCodePoint(byte)).join(""))}`;
}
