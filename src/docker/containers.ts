import { z } from "zod";

import { EngineStatusError, isNotFound } from "./engine-errors.ts";

import type { JsonObject } from "../json/value.ts";
import type { DockerEngine } from "./engine.ts";

// Only what is used, and leniently: podman and later engines leave out or add fields.
const Inspection = z.object({
  Id: z.string(),
  Name: z.string().default(""),
  Created: z.string().default(""),
  State: z.object({
    Status: z.string(),
    ExitCode: z.number().default(0),
    OOMKilled: z.boolean().default(false),
    Error: z.string().nullish(),
    StartedAt: z.string().nullish(),
    FinishedAt: z.string().nullish(),
  }),
  Config: z.object({ Labels: z.record(z.string(), z.string()).nullish(), Tty: z.boolean().default(false) }),
});
const Summary = z.object({
  Id: z.string(),
  Names: z.array(z.string()).nullish(),
  /** Seconds since the epoch. */
  Created: z.number().default(0),
  State: z.string().default(""),
  Labels: z.record(z.string(), z.string()).nullish(),
});
const Created = z.object({ Id: z.string(), Warnings: z.array(z.string()).nullish() });
const Waited = z.object({ StatusCode: z.number(), Error: z.object({ Message: z.string() }).nullish() });

/** A container as `GET /containers/{id}/json` shows it. */
export type ContainerInspection = z.infer<typeof Inspection>;
/** A container as `GET /containers/json` shows it. */
export type ContainerSummary = z.infer<typeof Summary>;

/** The body of `POST /containers/create` in the Engine API's own words (`Image`, `Env`, `HostConfig`, …). */
export type ContainerBody = Readonly<Record<string, unknown>> & { readonly Image: string };

/**
 * Creates a container; it is not started. Rejects with an EngineStatusError: 404 for an image that is not there, 409 for
 * a name that is taken.
 */
export async function createContainer(
  engine: DockerEngine,
  { name, body, platform }: { name?: string | undefined; body: ContainerBody; platform?: string | undefined },
  signal?: AbortSignal,
): Promise<{ readonly id: string; readonly warnings: readonly string[] }> {
  const answer = await engine.request({
    method: "POST",
    path: "/containers/create",
    query: { name, platform },
    body,
    what: `The container ${name === undefined ? "" : `'${name}' `}could not be created`,
    signal,
  });
  const { Id: id, Warnings: warnings } = Created.parse(answer);
  return { id, warnings: warnings ?? [] };
}

/** Starts a created container; one that runs already is left as it is. */
export async function startContainer(engine: DockerEngine, id: string, signal?: AbortSignal): Promise<void> {
  await engine.request({
    method: "POST",
    path: `/containers/${encodeURIComponent(id)}/start`,
    what: "The container could not be started",
    signal,
  });
}

/** Reads a container by id or name; null when there is none. */
export async function inspectContainer(
  engine: DockerEngine,
  id: string,
  signal?: AbortSignal,
): Promise<ContainerInspection | null> {
  try {
    const answer = await engine.request({
      method: "GET",
      path: `/containers/${encodeURIComponent(id)}/json`,
      what: "The container could not be inspected",
      signal,
    });
    return Inspection.parse(answer);
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

const RUNNING = new Set(["running", "paused", "restarting"]);

/** False for a container that has ended, or was never started. */
export function isRunning({ State: state }: ContainerInspection): boolean {
  return RUNNING.has(state.Status);
}

/** Lists containers, running or not, that bear all the labels (`name` or `name=value`). */
export async function listContainers(
  engine: DockerEngine,
  labels: readonly string[],
  signal?: AbortSignal,
): Promise<readonly ContainerSummary[]> {
  const answer = await engine.request({
    method: "GET",
    path: "/containers/json",
    query: { all: true, filters: { label: labels } },
    what: "The containers could not be listed",
    signal,
  });
  return z.array(Summary).parse(answer);
}

/**
 * Asks a container to end (its stop signal, mostly SIGTERM), and kills it after `graceSeconds`. Resolves once it has ended.
 * One that has ended already, or is not there, is fine.
 */
export async function stopContainer(
  engine: DockerEngine,
  id: string,
  graceSeconds: number,
  signal?: AbortSignal,
): Promise<void> {
  await unlessGone(
    engine.request({
      method: "POST",
      path: `/containers/${encodeURIComponent(id)}/stop`,
      query: { t: Math.max(0, Math.ceil(graceSeconds)) },
      what: "The container could not be stopped",
      timeoutMs: 0,
      signal,
    }),
  );
}

/** Sends a signal (default SIGKILL); a container that does not run (409) or is not there is fine. */
export async function killContainer(
  engine: DockerEngine,
  id: string,
  { name = "SIGKILL", signal }: { name?: string; signal?: AbortSignal } = {},
): Promise<void> {
  await unlessGone(
    engine.request({
      method: "POST",
      path: `/containers/${encodeURIComponent(id)}/kill`,
      query: { signal: name },
      what: `${name} could not be sent to the container`,
      signal,
    }),
  );
}

/**
 * Waits, however long it takes, until the container does not run any more; resolves with its exit status, or null when
 * the container is not there. One that was never started counts as ended, with 0.
 */
export async function waitForContainer(
  engine: DockerEngine,
  id: string,
  signal?: AbortSignal,
): Promise<number | null> {
  try {
    const answer = await engine.request({
      method: "POST",
      path: `/containers/${encodeURIComponent(id)}/wait`,
      query: { condition: "not-running" },
      what: "The container could not be waited for",
      timeoutMs: 0,
      signal,
    });
    return Waited.parse(answer).StatusCode;
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

/** Removes a container with its anonymous volumes; with `force` also one that runs. One that is not there is fine. */
export async function removeContainer(
  engine: DockerEngine,
  id: string,
  { force = false, signal }: { force?: boolean; signal?: AbortSignal } = {},
): Promise<void> {
  await unlessGone(
    engine.request({
      method: "DELETE",
      path: `/containers/${encodeURIComponent(id)}`,
      query: { force, v: true },
      what: "The container could not be removed",
      signal,
    }),
  );
}

/** Connects a container to a further network, by name or id. */
export async function connectNetwork(
  engine: DockerEngine,
  network: string,
  container: string,
  signal?: AbortSignal,
): Promise<void> {
  await engine.request({
    method: "POST",
    path: `/networks/${encodeURIComponent(network)}/connect`,
    body: { Container: container },
    what: `The container could not be connected to the network '${network}'`,
    signal,
  });
}

/** 404: it is gone; 409: it does not run, or is being removed. */
async function unlessGone(request: Promise<unknown>): Promise<void> {
  try {
    await request;
  } catch (error) {
    if (isNotFound(error) || (error instanceof EngineStatusError && error.isConflict)) return;
    throw error;
  }
}

/** What the engine says of itself (`GET /version`, `GET /info`), as it says it. */
export async function readEngine(engine: DockerEngine, about: "version" | "info"): Promise<JsonObject> {
  return (await engine.request({
    method: "GET",
    path: `/${about}`,
    what: "The engine could not be asked",
  })) as JsonObject;
}
