import type { Service } from "./service.ts";

/** All services, in the order in which they are started. */
export const SERVICES: readonly Service[] = [];
