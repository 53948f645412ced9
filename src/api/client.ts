import { createCaller } from "./calls.ts";
import { createDefinitionCalls } from "./definitions.ts";
import { createFlowRunCalls } from "./flow-runs.ts";
import { createTransport } from "./http.ts";
import { createRegistrationCalls } from "./registrations.ts";
import { createTelemetryCalls } from "./telemetry.ts";
import { createWorkPoolCalls } from "./work-pools.ts";

import type { Caller, OnUndecodable } from "./calls.ts";
import type { DefinitionCalls } from "./definitions.ts";
import type { FlowRunCalls } from "./flow-runs.ts";
import type { CallOptions, Transport, TransportOptions } from "./http.ts";
import type { RegistrationCalls } from "./registrations.ts";
import type { TelemetryCalls } from "./telemetry.ts";
import type { WorkPoolCalls } from "./work-pools.ts";

export interface PrefectClientOptions extends TransportOptions {
  /** Told of each element of a list that was dropped because it could not be understood. */
  readonly onUndecodable?: OnUndecodable | undefined;
}

/**
 * The calls of the Prefect REST API that this product makes. Each takes {@link CallOptions} last and throws an ApiError,
 * UndecodableResponseError or UnreachableError (`isRetryable` says whether later may help), or the reason of its signal.
 */
export interface PrefectClient
  extends WorkPoolCalls, FlowRunCalls, DefinitionCalls, RegistrationCalls, TelemetryCalls {
  /** Root of the API, without user and password. */
  readonly apiUrl: string;
  /** For the events socket, which shares proxy, TLS options and headers. */
  readonly transport: Transport;
  /** For the calls of `manage/`. */
  readonly caller: Caller;
  /** Version of the server, such as `3.8.8`; null when it does not tell (Cloud). */
  readVersion(options?: CallOptions): Promise<string | null>;
  /** Resolves when the server says that it is well; needs no authentication. */
  health(options?: CallOptions): Promise<void>;
  /** Ends all connections; calls in progress fail. */
  close(): Promise<void>;
}

/** Opens no connection until the first call. Throws CONFIG_INVALID for a wrong address, proxy or CA file. */
export function createPrefectClient(options: PrefectClientOptions): PrefectClient {
  const transport = createTransport(options);
  const caller = createCaller(transport, options.onUndecodable ?? (() => undefined));
  return {
    apiUrl: transport.apiUrl,
    transport,
    caller,
    ...createWorkPoolCalls(transport, caller),
    ...createFlowRunCalls(caller),
    ...createDefinitionCalls(caller),
    ...createRegistrationCalls(caller),
    ...createTelemetryCalls(caller),

    readVersion(call) {
      return caller.find(
        { method: "GET", path: "/admin/version" },
        (body) => (typeof body === "string" ? body : null),
        call,
      );
    },

    async health(call) {
      await transport.send({ method: "GET", path: "/health" }, call);
    },

    close: () => transport.close(),
  };
}
