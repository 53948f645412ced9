import { createPrefectClient } from "../../../src/api/client.ts";
import { systemClock } from "../../../src/lifecycle/clock.ts";

import type { PrefectClient, PrefectClientOptions } from "../../../src/api/client.ts";

/** A client that closes its connections at the end of the test. */
export function testClient(
  options: Partial<PrefectClientOptions> & { readonly apiUrl: string },
): PrefectClient & AsyncDisposable {
  const client = createPrefectClient({ clock: systemClock, userAgentVersion: "0.0.0", ...options });
  return { ...client, [Symbol.asyncDispose]: () => client.close() };
}

export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("The call succeeded");
}
