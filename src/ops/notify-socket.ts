import { spawn } from "node:child_process";

import { WorkerError } from "../errors.ts";

/** Where messages for the service manager go (sd_notify(3)). */
export interface NotifySocket {
  /** Sends them as one datagram, without waiting; the manager may be gone, which is no concern of a worker. */
  send(assignments: readonly string[]): void;
  close(): void;
}

/**
 * Opens the socket of `NOTIFY_SOCKET`: a path, as systemd gives it, or an abstract name that begins with `@`. Node has no
 * datagram sockets for either. Rejects with MACHINE_UNFIT for other kinds of sockets, and where there is no binary for the
 * machine.
 */
export async function openNotifySocket(
  address: string,
  onError: (error: Error) => void,
): Promise<NotifySocket> {
  if (address.startsWith("/")) return await openPath(address, onError);
  if (/^@./.test(address)) return openAbstract(address.slice(1), onError);
  throw new WorkerError(
    "MACHINE_UNFIT",
    `NOTIFY_SOCKET=${address} is neither a path nor the name of an abstract socket`,
  );
}

// A prebuilt binary of half a megabyte, loaded here only. `systemd-notify` would do too, but each message would be a process,
// and the unit would have to believe any process (`NotifyAccess=all`).
async function openPath(path: string, onError: (error: Error) => void): Promise<NotifySocket> {
  const { DgramSocket } = await import("node-unix-socket").catch((cause: unknown) => {
    throw new WorkerError("MACHINE_UNFIT", "Node cannot send datagrams on this kind of machine", {
      cause,
      hint: "Use Type=exec and no WatchdogSec in the unit.",
    });
  });
  const socket = new DgramSocket();
  socket.on("error", onError);
  return {
    send(assignments) {
      const message = Buffer.from(assignments.join("\n"));
      socket.sendTo(message, 0, message.length, path, (error) => {
        if (error !== undefined) onError(error);
      });
    },
    close: () => socket.close(),
  };
}

// One message a line, its assignments parted by NUL.
const SENDER = `
import socket, sys
sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
for line in sys.stdin:
    try:
        sender.sendto(line.rstrip("\\n").replace("\\0", "\\n").encode(), "\\0" + sys.argv[1])
    except OSError:
        pass
`;

// `node-unix-socket` pads abstract names with zeros to their full length, so its messages reach nobody. Python, which a
// worker needs anyway, sends them; a manager that looks at the sender must believe all processes of the service.
function openAbstract(name: string, onError: (error: Error) => void): NotifySocket {
  const sender = spawn("python3", ["-c", SENDER, name], {
    stdio: ["pipe", "ignore", "ignore"],
    // Ctrl-C at a terminal is for the worker, which has things to say afterwards.
    detached: true,
  });
  sender.on("error", onError);
  sender.stdin.on("error", onError);
  return {
    send(assignments) {
      if (sender.stdin.writable) sender.stdin.write(`${assignments.join("\0")}\n`);
    },
    close: () => void sender.stdin.end(),
  };
}
