import { constants } from "node:fs";
import { chmod, copyFile, lstat, mkdir, open, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import * as z from "zod/mini";

import { parseJson } from "../json/parse.ts";
import { stringifyJson } from "../json/stringify.ts";
import { packageRoot } from "../lifecycle/package-root.ts";
import { pythonError } from "./bridge.ts";
import { StepError } from "./errors.ts";

import type { FileHandle } from "node:fs/promises";
import type { Server, Socket } from "node:net";
import type { JsonObject } from "../json/value.ts";
import type { BridgeFailure, BridgeReply, BridgeRequest } from "./bridge.ts";

const SCRIPTS = ["bridge.py", "image_bridge.py"] as const;
const SOCKET = "steps.sock";
const INTENT = "cancelled";

/** The exit status of a container whose worker is gone before the run has begun (image_bridge.py). */
export const WORKER_IS_GONE = 75;

/** `image_bridge.py` says this of itself first. */
const helloSchema = z.object({
  /** The container's working directory. */
  cwd: z.string(),
  /** The image's environment with the container's own. */
  env: z.record(z.string(), z.string()),
  /** Name of an empty file in the workspace that shows whose the container's files are. */
  mark: z.string().check(z.regex(/^\.lighterman-[0-9a-f]+$/)),
  /** Absolute. */
  python: z.string(),
});

export type ImageHello = z.infer<typeof helloSchema>;

export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
}

export interface ImageBridgeOptions {
  readonly listener: BridgeListener;
  /** Absolute directory with the code, as it is called here and in the container. */
  readonly workspace: { readonly here: string; readonly there: string };
  /** Ends the waiting; the container is not ours to end. */
  readonly signal: AbortSignal;
  /** Resolves with how the container ended, for messages. */
  readonly ended: Promise<string>;
}

/**
 * Puts into the directory what the container needs of us, and waits there for its call. The container only reads there, whoever its
 * user is: it must not be able to put a link in the place of what the worker writes. Others are kept away by whoever made what is around.
 */
export async function prepareBridge(directory: string): Promise<BridgeListener> {
  await mkdir(directory);
  await chmod(directory, 0o755);
  for (const script of SCRIPTS) {
    await copyFile(join(packageRoot, "src", "steps", script), join(directory, script));
    await chmod(join(directory, script), 0o644);
  }
  return await BridgeListener.open(directory);
}

/** Where the process in the container finds the worker, once. */
export class BridgeListener {
  /** Resolves with the first connection; there is no other. */
  readonly connection: Promise<Socket>;
  readonly #server: Server;
  readonly #directory: FileHandle;

  private constructor(server: Server, directory: FileHandle) {
    this.#server = server;
    this.#directory = directory;
    this.connection = new Promise((resolve) => {
      server.once("connection", (socket) => {
        socket.on("error", () => undefined); // whoever reads learns of it
        this.close();
        resolve(socket);
      });
    });
  }

  /** By way of the open directory: the path of a socket has room for 107 bytes only. */
  static async open(path: string): Promise<BridgeListener> {
    const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      const server = createServer({ pauseOnConnect: true });
      server.maxConnections = 1;
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(`/proc/self/fd/${directory.fd}/${SOCKET}`, resolve);
      });
      await chmod(join(path, SOCKET), 0o666); // the container has another user
      return new BridgeListener(server, directory);
    } catch (error) {
      await directory.close();
      throw error;
    }
  }

  /** Takes the socket away; a connection that was made stays. */
  close(): void {
    if (!this.#server.listening) return;
    this.#server.close(); // unlinks it, as long as the directory is open
    void this.#directory.close();
  }
}

/** Lets the engine in the container know, when it is ended, that this is because its run is cancelled. */
export async function noteCancellation(directory: string): Promise<void> {
  await writeFile(join(directory, INTENT), "");
}

/** The command of the container, which sees that directory as `steps`, and the one with the code as `workspace`, where it may write. */
export function bridgeCommand({
  steps,
  workspace,
}: {
  readonly steps: string;
  readonly workspace: string;
}): readonly [string, ...string[]] {
  const script = `${steps}/${SCRIPTS[1]}`;
  const find =
    'python=$(command -v python || command -v python3) || { echo "no Python in the image" >&2; exit 127; }';
  return ["sh", "-c", `${find}; exec "$python" -u ${script} ${steps}/${SOCKET} ${workspace}`];
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
    socket: Socket,
    lines: AsyncIterator<string>,
    hello: ImageHello,
    owner: FileOwner,
    options: ImageBridgeOptions,
  ) {
    this.owner = owner;
    this.#socket = socket;
    this.#lines = lines;
    this.hello = hello;
    this.#options = options;
  }

  /** Waits for the container's call. Rejects with a StepError when the container ends before, or with the signal's reason. */
  static async connect(options: ImageBridgeOptions): Promise<ImageBridge> {
    const socket = await within(
      Promise.race([options.listener.connection, options.ended.then(() => null)]),
      options,
    );
    if (socket === null) throw await lost(options);
    const reader = createInterface({ input: socket, crlfDelay: Infinity });
    socket.once("close", () => reader.close()); // also after an error
    const lines = reader[Symbol.asyncIterator]();
    const greeting = await within(lines.next(), options);
    if (greeting.done === true) throw await lost(options);
    const hello = helloSchema.parse(JSON.parse(greeting.value));
    const mark = join(options.workspace.here, hello.mark);
    const owner = await lstat(mark);
    await rm(mark);
    return new ImageBridge(socket, lines, hello, owner, options);
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

/** The workspace has another path there, which may stand in any text that the steps hand on. */
function renamed(json: string, from: string, to: string): string {
  const [written, wanted] = [from, to].map((path) => JSON.stringify(path).slice(1, -1));
  return json.replaceAll(written ?? from, () => wanted ?? to);
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
