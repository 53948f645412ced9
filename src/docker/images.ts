import { z } from "zod";

import { systemClock } from "../lifecycle/clock.ts";
import { EngineStatusError, isNotFound } from "./engine-errors.ts";
import { errorOf, readMessages } from "./engine-messages.ts";
import { transferFailure } from "./image-failures.ts";
import { parseImageReference } from "./image-reference.ts";
import { encodeLogin } from "./registry-logins.ts";
import { TransferProgress } from "./transfer-progress.ts";

import type { Clock } from "../lifecycle/clock.ts";
import type { DockerEngine, EngineRequest } from "./engine.ts";
import type { FoundLogin } from "./registry-logins.ts";

const Inspection = z.object({
  Id: z.string(),
  RepoTags: z.array(z.string()).nullish(),
  RepoDigests: z.array(z.string()).nullish(),
  Architecture: z.string().default(""),
  Os: z.string().default(""),
  Config: z.object({ Labels: z.record(z.string(), z.string()).nullish() }).nullish(),
});

/** An image that the engine has. */
export type Image = z.infer<typeof Inspection>;

export interface TransferOptions {
  readonly login?: FoundLogin | undefined;
  /** Told how far it is, now and then. */
  readonly onProgress?: ((text: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock;
}

export interface PullOptions extends TransferOptions {
  /** `linux/arm64`; the engine's own without. */
  readonly platform?: string | undefined;
}

/** The image of that name or id; undefined when the engine has none. */
export async function findImage(
  engine: DockerEngine,
  image: string,
  signal?: AbortSignal,
): Promise<Image | undefined> {
  const what = `The image ${image} could not be looked up`;
  try {
    const answer = await engine.request({ method: "GET", path: `/images/${image}/json`, what, signal });
    const found = Inspection.safeParse(answer);
    if (!found.success) throw new EngineStatusError(200, what, "the engine's answer is not understood");
    return found.data;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Gives an image that the engine has one more name. */
export async function tagImage(
  engine: DockerEngine,
  image: string,
  { name, tag }: { readonly name: string; readonly tag: string },
  signal?: AbortSignal,
): Promise<void> {
  const what = `The image ${image} could not be tagged as ${name}:${tag}`;
  await engine.request({
    method: "POST",
    path: `/images/${image}/tag`,
    query: { repo: name, tag },
    what,
    signal,
  });
}

/**
 * Pulls an image, `latest` when its name says nothing else, whether the engine has it or not. Rejects with IMAGE_UNAVAILABLE,
 * which says why and what to do, with ENGINE_UNREACHABLE, or with the signal's reason.
 */
export async function pullImage(
  engine: DockerEngine,
  image: string,
  options: PullOptions = {},
): Promise<void> {
  const { name, tag, digest, registry } = parseImageReference(image);
  const query = { fromImage: name, tag: digest ?? tag ?? "latest", platform: options.platform };
  const what = `The image ${image} could not be pulled`;
  await transfer(
    engine,
    { what, path: "/images/create", query, registry, verb: `Pulling ${image}` },
    options,
  );
}

/** Pushes `name:tag`, or all tags of a name when `tag` is null. Rejects like {@link pullImage}. */
export async function pushImage(
  engine: DockerEngine,
  { name, tag }: { readonly name: string; readonly tag: string | null },
  options: TransferOptions = {},
): Promise<void> {
  const image = tag === null ? name : `${name}:${tag}`;
  const { registry } = parseImageReference(image);
  const query = { tag: tag ?? undefined };
  const what = `The image ${image} could not be pushed`;
  await transfer(
    engine,
    { what, path: `/images/${name}/push`, query, registry, verb: `Pushing ${image}` },
    options,
  );
}

interface Transfer extends Pick<EngineRequest, "what" | "path"> {
  readonly query: NonNullable<EngineRequest["query"]>;
  readonly registry: string;
  readonly verb: string;
}

async function transfer(
  engine: DockerEngine,
  { what, path, query, registry, verb }: Transfer,
  { login, onProgress, signal, clock = systemClock }: TransferOptions,
): Promise<void> {
  const progress = new TransferProgress(verb, clock, (text) => onProgress?.(text));
  const failure = (problem: string): Error => transferFailure(what, problem, { registry, login });
  try {
    const { body } = await engine.stream({
      method: "POST",
      path,
      query,
      what,
      signal,
      // A push must say something; and the head comes only when the registry has answered.
      headers: { "x-registry-auth": encodeLogin(login?.login ?? {}) },
      timeoutMs: 0,
    });
    for await (const message of readMessages(engine, body, signal)) {
      const problem = errorOf(message);
      if (problem !== undefined) throw failure(problem);
      progress.add(message);
    }
  } catch (thrown) {
    signal?.throwIfAborted();
    throw thrown instanceof EngineStatusError ? failure(thrown.answer) : thrown;
  }
}
