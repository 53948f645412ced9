import { setMaxListeners } from "node:events";

import { systemClock } from "../../lifecycle/clock.ts";
import { StepError } from "../errors.ts";
import { Bucket } from "./bucket.ts";
import { createCredentialSource } from "./credentials.ts";
import { readProfile } from "./profile.ts";
import { createSettings, readInputs } from "./settings.ts";
import { createTransport } from "./transport.ts";

import type { JsonObject } from "../../json/value.ts";
import type { StepContext } from "../types.ts";

export interface BucketSession {
  readonly maxConnections: number;
  /** Breaks off all requests with this reason. */
  readonly breakOff: (reason: Error) => Promise<void>;
}

/**
 * Opens the bucket that a step names, by its `credentials` and `client_parameters`, for as long as `work` takes. The step's signal
 * breaks off what is going on.
 */
export async function withBucket(
  name: string,
  inputs: JsonObject,
  context: StepContext,
  work: (bucket: Bucket, session: BucketSession) => Promise<void>,
): Promise<void> {
  if (name === "") {
    throw new StepError("The bucket's name is empty", { hint: "Give the step's input bucket." });
  }
  const s3Inputs = readInputs(inputs["credentials"], inputs["client_parameters"]);
  const profile = await readProfile(s3Inputs.credentials.text("profile_name"), context.env);
  const settings = createSettings(s3Inputs, profile, context);
  const transport = await createTransport(settings, context.env);

  // Of its own, so that waiting requests do not crowd the caller's signal.
  const aborting = new AbortController();
  setMaxListeners(0, aborting.signal);
  const breakOff = async (reason: Error): Promise<void> => {
    aborting.abort(reason);
    await transport.destroy(reason);
  };
  const onAbort = (): void => void breakOff(abortReason(context.signal));
  context.signal.addEventListener("abort", onAbort, { once: true });
  try {
    context.signal.throwIfAborted();
    const bucket = new Bucket(name, {
      settings,
      transport,
      credentials: createCredentialSource(settings, transport, context),
      clock: systemClock,
      signal: aborting.signal,
      registerSecret: (secret) => context.registerSecret(secret),
    });
    await work(bucket, { maxConnections: settings.maxConnections, breakOff });
  } finally {
    context.signal.removeEventListener("abort", onAbort);
    await transport.destroy();
  }
}

export function abortReason(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error("The step was aborted");
}
