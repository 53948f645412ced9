/** What a client of the API can do by itself, as far as the rules ask for it. */
export interface ApiClient {
  /** It renews the lease of its slot while its run is in progress; others keep theirs until the run's end. */
  readonly renewsLeases: boolean;
  /** Workers of the first 3.0 releases took the slots of a deployment by themselves. */
  readonly takesSlotsItself: boolean;
}

/** A client of which nothing is known. */
export const UNKNOWN_CLIENT: ApiClient = { renewsLeases: false, takesSlotsItself: false };

const USER_AGENT = /^prefect\/(\d+)\.(\d+)\.(\d+)([a-z.+0-9]*) \(API \S+\)$/;
const SLOT_TAKERS: ReadonlySet<string> = new Set(["3.0.0rc20", "3.0.0", "3.0.1", "3.0.2", "3.0.3"]);
const FIRST_TO_RENEW = [3, 4, 11] as const;

/** Tells a client by its User-Agent (prefect/server/orchestration/dependencies.py). */
export function apiClientOf(userAgent: string | undefined): ApiClient {
  const match = USER_AGENT.exec(userAgent ?? "");
  if (match === null) return UNKNOWN_CLIENT;
  const [, ...parts] = match;
  const suffix = parts[3] ?? "";
  const version = parts.slice(0, 3).map(Number);
  return {
    renewsLeases: isAtLeast(version, FIRST_TO_RENEW, suffix),
    takesSlotsItself: SLOT_TAKERS.has(`${version.join(".")}${suffix}`),
  };
}

function isAtLeast(version: readonly number[], least: readonly number[], suffix: string): boolean {
  for (const [index, part] of least.entries()) {
    const own = version[index] ?? 0;
    if (own !== part) return own > part;
  }
  // The release candidates of a release come before it.
  return !/^(?:a|b|rc|\.dev)/.test(suffix);
}
