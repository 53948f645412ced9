import type { ServerContext } from "../context.ts";

/** Periodic work of the server. A tick that fails is logged and tried again. */
export interface Service {
  readonly name: string;
  readonly intervalSeconds: (context: ServerContext) => number;
  /** Returns how many seconds to wait when this is less than the interval. */
  readonly tick: (context: ServerContext) => Promise<number | void>;
}
