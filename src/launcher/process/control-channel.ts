import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { createServer } from "node:net";

import { ControlSession } from "./control-session.ts";

import type { AddressInfo, Server, Socket } from "node:net";

import type { Logger } from "../../log/logger.ts";

/** What one launch needs of the channel. */
export interface ControlRegistration {
  /** To be put into the child's environment; an engine that does not know them ignores them. */
  readonly env: Readonly<Record<"PREFECT__CONTROL_PORT" | "PREFECT__CONTROL_TOKEN", string>>;
  readonly session: ControlSession;
  /** Forgets the token and closes the connection. */
  release(): void;
}

/** The worker's end of the control channel (protocol §7.3): one listener on the loopback for all children. */
export interface ControlChannel {
  /** Undefined when no port can be opened: then runs can only be stopped by signals. */
  register(): Promise<ControlRegistration | undefined>;
  close(): Promise<void>;
}

export interface ControlChannelOptions {
  readonly logger?: Logger;
  /** For how long a connection may stay without a token. */
  readonly authenticationTimeoutMs?: number;
}

interface Waiting {
  readonly tokenHash: Buffer;
  readonly session: ControlSession;
}

const TOKEN_BYTES = 32;
const MAX_TOKEN_LINE = 256;
const MAX_STRANGERS = 64;

/** The port is opened at the first `register`. */
export function createControlChannel(options: ControlChannelOptions = {}): ControlChannel {
  const waiting = new Set<Waiting>();
  const sockets = new Set<Socket>();
  let strangers = 0;
  let listening: Promise<Server | undefined> | undefined;

  function accept(socket: Socket): void {
    sockets.add(socket);
    strangers += 1;
    let isStranger = true;
    const settle = (): void => {
      if (isStranger) strangers -= 1;
      isStranger = false;
    };
    socket.on("error", () => undefined); // 'close' follows
    socket.on("close", () => {
      sockets.delete(socket);
      settle();
    });
    if (strangers > MAX_STRANGERS) {
      socket.destroy();
      return;
    }
    socket.setNoDelay(true);
    socket.setTimeout(options.authenticationTimeoutMs ?? 5000, () => socket.destroy());
    let line = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      line = Buffer.concat([line, chunk]);
      const end = line.indexOf(0x0a);
      if (end === -1 && line.length <= MAX_TOKEN_LINE) return;
      const session = end === -1 ? undefined : authenticate(line.subarray(0, end).toString("latin1").trim());
      if (session === undefined) {
        options.logger?.debug("Control channel: a connection without a valid token was refused");
        socket.destroy();
        return;
      }
      settle();
      socket.off("data", onData);
      socket.setTimeout(0);
      session.attach(socket, line.subarray(end + 1));
    };
    socket.on("data", onData);
  }

  /** One-shot: a token that was used is not known any more. Takes as long for a wrong token as for a right one. */
  function authenticate(token: string): ControlSession | undefined {
    const hash = hashOf(token);
    let found: Waiting | undefined;
    for (const candidate of waiting) if (timingSafeEqual(candidate.tokenHash, hash)) found = candidate;
    if (found !== undefined) waiting.delete(found);
    return found?.session;
  }

  function listen(): Promise<Server | undefined> {
    return new Promise((resolve) => {
      const server = createServer(accept);
      server.once("error", (err) => {
        options.logger?.warn(
          { err },
          "The control channel cannot be opened; runs are stopped by signals only",
        );
        resolve(undefined);
      });
      server.listen({ host: "127.0.0.1", port: 0, backlog: 128 }, () => resolve(server));
    });
  }

  return {
    async register() {
      listening ??= listen();
      const server = await listening;
      if (server === undefined) return undefined;
      const token = randomBytes(TOKEN_BYTES).toString("hex");
      const session = new ControlSession(options.logger);
      const entry = { tokenHash: hashOf(token), session };
      waiting.add(entry);
      return {
        env: {
          PREFECT__CONTROL_PORT: String((server.address() as AddressInfo).port),
          PREFECT__CONTROL_TOKEN: token,
        },
        session,
        release() {
          waiting.delete(entry);
          session.close();
        },
      };
    },
    async close() {
      waiting.clear();
      const server = await listening;
      for (const socket of sockets) socket.destroy();
      if (server?.listening === true) await new Promise((resolve) => server.close(resolve));
    },
  };
}

function hashOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
