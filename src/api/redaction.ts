import type { ApiAddress } from "./address.ts";
import type { Credentials } from "./headers.ts";

/** Replaces secrets in a text by `***`. */
export type Redact = (text: string) => string;

/** Texts shorter than this are too common to be replaced wherever they occur. */
const MIN_SECRET_LENGTH = 4;

/** Masks everything that this client authenticates with, should a server or a proxy echo it. */
export function createRedaction(
  address: ApiAddress,
  credentials: Credentials,
  others: readonly string[],
): Redact {
  const secrets = new Set<string>();
  for (const pair of [address.userInfo, credentials.authString, ...others]) {
    if (pair === null || pair === undefined) continue;
    secrets.add(pair);
    secrets.add(pair.slice(pair.indexOf(":") + 1));
    secrets.add(Buffer.from(pair).toString("base64"));
  }
  if (credentials.apiKey !== null && credentials.apiKey !== undefined) secrets.add(credentials.apiKey);
  for (const value of Object.values(credentials.customHeaders ?? {})) secrets.add(value);
  const longestFirst = [...secrets]
    .filter((secret) => secret.length >= MIN_SECRET_LENGTH)
    .sort((a, b) => b.length - a.length);
  return (text) => longestFirst.reduce((masked, secret) => masked.replaceAll(secret, "***"), text);
}
