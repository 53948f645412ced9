import { serveEventsIn, serveEventsOut } from "../events/sockets.ts";
import { serveLogsOut } from "../logs/socket.ts";
import { addAdminRoutes } from "./admin.ts";
import { addArtifactRoutes } from "./artifacts.ts";
import { addAutomationRoutes } from "./automations.ts";
import { addBlockRoutes } from "./blocks.ts";
import { addCollectionRoutes } from "./collections.ts";
import { addConcurrencyLimitRoutes } from "./concurrency-limits.ts";
import { addConcurrencyLimitV2Routes } from "./concurrency-limits-v2.ts";
import { addDeploymentRoutes } from "./deployments.ts";
import { addEventRoutes } from "./events.ts";
import { addFlowRunRoutes } from "./flow-runs.ts";
import { addFlowRoutes } from "./flows.ts";
import { addLogRoutes } from "./logs.ts";
import { addSavedSearchRoutes } from "./saved-searches.ts";
import { addTaskRunRoutes } from "./task-runs.ts";
import { addVariableRoutes } from "./variables.ts";
import { addWorkPoolRoutes } from "./work-pools.ts";
import { addWorkQueueRoutes } from "./work-queues.ts";
import { addWorkerRoutes } from "./workers.ts";

import type { Routes } from "../http/app.ts";
import type { SocketHandler } from "../http/web-sockets.ts";

/** The endpoints, one file a noun. */
export const ROUTES: readonly Routes[] = [
  addAdminRoutes,
  addAutomationRoutes,
  addCollectionRoutes,
  addFlowRoutes,
  addFlowRunRoutes,
  addTaskRunRoutes,
  addDeploymentRoutes,
  addWorkPoolRoutes,
  addWorkQueueRoutes,
  addWorkerRoutes,
  addLogRoutes,
  addSavedSearchRoutes,
  addVariableRoutes,
  addBlockRoutes,
  addArtifactRoutes,
  addEventRoutes,
  addConcurrencyLimitRoutes,
  addConcurrencyLimitV2Routes,
];

/** The WebSockets, by path. */
export const SOCKETS: Readonly<Record<string, SocketHandler>> = {
  "/api/events/in": serveEventsIn,
  "/api/events/out": serveEventsOut,
  "/api/logs/out": serveLogsOut,
};
