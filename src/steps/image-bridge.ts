import { constants } from "node:fs";
import { chmod, copyFile, mkdir, open, stat, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import * as z from "zod/mini";

import { parseJson } from "../json/parse.ts";
import { stringifyJson } from "../json/stringify.ts";
import { packageRoot } from "../lifecycle/package-root.ts";
import { pythonError } from "./bridge.ts";
import { StepError } from "./errors.ts";

import type { Socket } from "node:net";
import type { Clock } from "../lifecycle/clock.ts";
import type { JsonObject } from "../json/value.ts";
import type { BridgeFailure, BridgeReply, BridgeRequest } from "./bridge.ts";

const SCRIPTS = ["bridge.py", "image_bridge.py"] as const;
const SOCKET = "steps.sock";
const INTENT = "cancelled";
const CONNECT_EVERY_MS = 20;

/** The exit status of a container whose worker is gone before the run has begun (image_bridge.py). */
export const WORKER_IS_GONE = 75;

/** `bridge.py listen` says this of itself first. */
const helloSchema = z.object({
  /** The container's working directory. */
  cwd: z.string(),
  /** The image's environment with the container's own. */
  env: z.record(z.string(), z.string()),
  /** Absolute. */
  python: z.string(),
});

export type ImageHello = z.infer<typeof helloSchema>;

export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
}

export interface ImageBridgeOptions {
  /** Absolute directory on this machine that {@link prepareBridge} has filled. */
  readonly directory: string;
  /** Absolute directory with the code, as it is called here and in the container. */
  readonly workspace: { readonly here: string; readonly there: string };
  readonly clock: Clock;
  /** Ends the waiting; the container is not ours to end. */
  readonly signal: AbortSignal;
  /** Resolves with how the container ended, for messages. */
  readonly ended: Promise<string>;
}

/**
 * Puts into the directory what the container needs of us. Any user may write there, for the container's is not known; whoever makes it
 * must keep others away from what is around it.
 */
export async function prepareBridge(directory: string): Promise<void> {
  await mkdir(directory);
  await chmod(directory, 0o777);
  for (const script of SCRIPTS)
    await copyFile(join(packageRoot, "src", "steps", script), join(directory, script));
}

/** Lets the engine in the container know, when it is ended, that this is because its run is cancelled. */
export async function noteCancellation(directory: string): Promise<void> {
  await writeFile(join(directory, INTENT), "");
}

/** The command of the container, which sees that directory as `directory`. */
export function bridgeCommand(directory: string): readonly [string, ...string[]] {
  const script = `${directory}/${SCRIPTS[1]}`;
  const find =
    'python=$(command -v python || command -v python3) || { echo "no Python in the image" >&2; exit 127; }';
  return ["sh", "-c", `${find}; exec "$python" -u ${script} ${directory}/${SOCKET}`];
}

/** A Python process in a flow run's container that runs steps for us, one at a time, and becomes the engine at last. */
export class ImageBridge {
  readonly hello: ImageHello;
  /** Whose the container's files are on this machine, which may count users otherwise. */
  readonly owner: FileOwner;
  readonly #socket: Socket;
  readonly #lines: AsyncIterator<string>;
  readonly #options: ImageBridgeOptions;

  private constructor(
    { socket, owner }: Connection,
    lines: AsyncIterator<string>,
    hello: ImageHello,
    options: ImageBridgeOptions,
  ) {
    this.owner = owner;
    this.#socket = socket;
    this.#lines = lines;
    this.hello = hello;
    this.#options = options;
  }

  /** Waits until the process in the container listens. Rejects with a StepError when the container ends before, or with the signal's reason. */
  static async connect(options: ImageBridgeOptions): Promise<ImageBridge> {
    const connection = await connected(options);
    const reader = createInterface({ input: connection.socket, crlfDelay: Infinity });
    connection.socket.once("close", () => reader.close()); // also after an error
    const lines = reader[Symbol.asyncIterator]();
    const greeting = await within(lines.next(), options);
    if (greeting.done === true) throw await lost(options);
    return new ImageBridge(connection, lines, helloSchema.parse(JSON.parse(greeting.value)), options);
  }

  /** Rejects with a StepError when the step fails or the container ends, with the signal's reason after an abort. */
  async call(
    request: Omit<BridgeRequest, "op"> & { readonly op: string },
  ): Promise<BridgeReply & JsonObject> {
    const { here, there } = this.#options.workspace;
    this.#socket.write(`${renamed(stringifyJson(request), here, there)}\n`);
    const answer = await within(this.#lines.next(), this.#options);
    if (answer.done === true) throw await lost(this.#options);
    // Our own script wrote it.
    const parsed = parseJson(renamed(answer.value, there, here)) as unknown as
      | (BridgeReply & JsonObject)
      | BridgeFailure;
    if ("error" in parsed) throw pythonError(parsed.error as BridgeFailure["error"], this.hello.python);
    return parsed;
  }

  /** Resolves when the process has closed the connection, as it does when it becomes another program. */
  async closed(): Promise<void> {
    await within(this.#lines.next(), this.#options);
  }

  close(): void {
    this.#socket.destroy();
  }
}

interface Connection {
  readonly socket: Socket;
  readonly owner: FileOwner;
}

/** The workspace has another path there, which may stand in any text that the steps hand on. */
function renamed(json: string, from: string, to: string): string {
  const [written, wanted] = [from, to].map((path) => JSON.stringify(path).slice(1, -1));
  return json.replaceAll(written ?? from, () => wanted ?? to);
}

/** By way of an open directory: the path of a socket has room for 107 bytes only. */
async function connected(options: ImageBridgeOptions): Promise<Connection> {
  const directory = await open(options.directory, constants.O_RDONLY | constants.O_DIRECTORY);
  let hasEnded = false;
  void options.ended.then(() => (hasEnded = true));
  try {
    for (;;) {
      options.signal.throwIfAborted();
      const path = `/proc/self/fd/${directory.fd}/${SOCKET}`;
      const owner = await stat(path).catch(() => null); // before: it goes away with the connection
      const socket = owner === null ? null : await tryConnect(path);
      if (socket !== null && owner !== null) return { socket, owner };
      if (hasEnded) throw await lost(options);
      await options.clock.sleep(CONNECT_EVERY_MS, options.signal);
    }
  } finally {
    await directory.close();
  }
}

async function tryConnect(path: string): Promise<Socket | null> {
  return await new Promise((resolve) => {
    const socket = createConnection(path);
    socket.once("connect", () => {
      socket.off("error", fail);
      socket.on("error", () => undefined); // whoever reads learns of it
      resolve(socket);
    });
    const fail = (): void => resolve(null);
    socket.once("error", fail);
  });
}

async function within<T>(promise: Promise<T>, { signal }: ImageBridgeOptions): Promise<T> {
  signal.throwIfAborted();
  return await new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

async function lost(options: ImageBridgeOptions): Promise<StepError> {
  return new StepError(
    `The container ended before the flow was started: ${await within(options.ended, options)}`,
  );
}
