import { addAdminRoutes } from "./admin.ts";

import type { Routes } from "../http/app.ts";
import type { SocketHandler } from "../http/web-sockets.ts";

/** The endpoints, one file a noun. */
export const ROUTES: readonly Routes[] = [addAdminRoutes];

/** The WebSockets, by path. */
export const SOCKETS: Readonly<Record<string, SocketHandler>> = {};
