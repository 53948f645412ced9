import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, it } from "vitest";

import { until } from "../../support/deadline.ts";
import { TestProcess } from "../../support/test-process.ts";
import { openScene, PYTHON } from "../worker/scene.ts";

const RECEIVER = fileURLToPath(new URL("programs/notify_receiver.py", import.meta.url));
const NO_DEADLINE = new URL("programs/no-deadline.mjs", import.meta.url).href;

interface Manager extends AsyncDisposable {
  readonly assignments: () => readonly string[];
  /** Resolves once one that matches has come after the first `after`. */
  told(pattern: RegExp, after?: number): Promise<string>;
}

/** A socket of the kind that systemd hands to its services, served by another program. */
async function openManager(address: string): Promise<Manager> {
  const receiver = new TestProcess(PYTHON, ["-u", RECEIVER, address], { name: "service manager", env: {} });
  await receiver.waitForLine(/^ready$/);
  const assignments = (): readonly string[] =>
    receiver.lines.filter((line) => line.startsWith("[")).flatMap((line) => JSON.parse(line) as string[]);
  return {
    assignments,
    told: (pattern, after = 0) =>
      until(
        `a message like ${pattern}`,
        () =>
          assignments()
            .slice(after)
            .find((text) => pattern.test(text)),
        { timeoutMs: 15_000, everyMs: 20, detail: () => assignments().join("\n") },
      ),
    [Symbol.asyncDispose]: () => receiver[Symbol.asyncDispose](),
  };
}

describe.concurrent("a worker below a service manager", () => {
  it.for<["path" | "abstract"]>([["path"], ["abstract"]])(
    "tells it that it is ready, what it does, that it lives, and that it stops (%s)",
    async ([kind], { expect }) => {
      await using scene = await openScene();
      const address = kind === "path" ? scene.path("notify") : `@lighterman-${randomUUID()}`;
      await using manager = await openManager(address);
      const worker = await scene.worker({
        args: ["--limit", "4"],
        env: { NOTIFY_SOCKET: address, WATCHDOG_USEC: "400000" },
      });
      await manager.told(/^READY=1$/);
      await manager.told(/^STATUS=.* serves pool 'pool': no flow runs, 0 of 4 slots$/);
      const run = scene.script(
        'env > "$HOME/env"; echo . >> "$HOME/started"; while [ ! -e "$HOME/go" ]; do sleep 0.02; done',
      );
      await scene.written("started");
      await manager.told(/^STATUS=.*: 1 flow run \(1 run\), 1 of 4 slots$/);
      const before = manager.assignments().length;
      await until("three more signs of life", () => {
        const signs = manager
          .assignments()
          .slice(before)
          .filter((text) => text === "WATCHDOG=1");
        return signs.length >= 3;
      });
      const environment = await scene.written("env", 3);
      expect(environment.filter((line) => /^(?:NOTIFY_SOCKET|WATCHDOG_)/.test(line))).toEqual([]);

      expect(manager.assignments()).not.toContain("STOPPING=1");
      worker.signal("SIGTERM");
      await manager.told(/^STOPPING=1$/);
      await manager.told(/^EXTEND_TIMEOUT_USEC=30000000$/);
      await manager.told(/^STATUS=.* drains, for pool 'pool': 1 flow run/);
      const draining = manager.assignments().length;
      await manager.told(/^WATCHDOG=1$/, draining);
      await manager.told(/^EXTEND_TIMEOUT_USEC=/, draining);
      writeFileSync(scene.path("go"), "");
      await scene.server.waitForEnd(run.id);
      expect((await worker.end()).code).toBe(0);
      await worker.closed;
      await until("nothing of it to be left", () => scene.leftovers().length === 0);
      expect(manager.assignments().filter((text) => text === "READY=1" || text === "STOPPING=1")).toEqual([
        "READY=1",
        "STOPPING=1",
      ]);
    },
  );

  it("goes on giving signs of life while its server is away", async ({ expect }) => {
    await using scene = await openScene();
    await using manager = await openManager(scene.path("notify"));
    const worker = await scene.worker({
      env: {
        NOTIFY_SOCKET: scene.path("notify"),
        WATCHDOG_USEC: "200000",
        PREFECT_WORKER_QUERY_SECONDS: "0.1",
      },
    });
    await manager.told(/^READY=1$/);
    await scene.server.goDown();
    await worker.waitForLine(/Polling for flow runs failed/);
    const before = manager.assignments().length;
    await until("ten more signs of life", () => {
      const signs = manager
        .assignments()
        .slice(before)
        .filter((text) => text === "WATCHDOG=1");
      return signs.length >= 10;
    });
    expect(worker.isRunning).toBe(true);
  });

  it("is not ready before its pool is read", async ({ expect }) => {
    await using scene = await openScene();
    await using manager = await openManager(scene.path("notify"));
    const held = scene.server.fault({ method: "GET", path: /^\/work_pools\//, kind: "hold" });
    await scene.worker({ env: { NOTIFY_SOCKET: scene.path("notify"), WATCHDOG_USEC: "400000" } });
    await manager.told(/^STATUS=Worker '.*' \(starting\) for pool 'pool'/);
    await scene.server.waitFor("the pool is asked for", () => held.hits || undefined);
    const asked = manager.assignments().length;
    await manager.told(/^WATCHDOG=1$/, asked);
    expect(manager.assignments()).not.toContain("READY=1");
    held.clear();
    await manager.told(/^READY=1$/);
  });

  it("gives no more signs of life once its poll loop hangs, though all else goes on, and again when it does not", async ({
    expect,
  }) => {
    await using scene = await openScene();
    await using manager = await openManager(scene.path("notify"));
    const worker = await scene.worker({
      env: {
        NOTIFY_SOCKET: scene.path("notify"),
        WATCHDOG_USEC: "400000",
        LIGHTERMAN_API_DEADLINE: "777ms",
        NODE_OPTIONS: `--import ${NO_DEADLINE}`,
      },
    });
    await manager.told(/^READY=1$/);
    const held = scene.server.fault({ method: "POST", path: /get_scheduled_flow_runs/, kind: "hold" });
    await worker.waitForLine(/The worker hangs.* will start it anew/, 25_000);
    const last = manager.assignments().length;
    worker.signal("SIGUSR2");
    await worker.waitForLine(/serves pool 'pool'.*The poll loop was to be heard of \d+ s ago/);
    expect(manager.assignments().slice(last)).not.toContain("WATCHDOG=1");
    held.clear();
    await manager.told(/^WATCHDOG=1$/, last);
  });

  it("serves without it where the socket is of no kind that it knows", async ({ expect }) => {
    await using scene = await openScene();
    const worker = await scene.worker({ env: { NOTIFY_SOCKET: "vsock:2:1234" } });
    await worker.waitForLine(/neither a path nor the name of an abstract socket.*will not be told/);
    expect((await scene.server.waitForEnd(scene.script("exit 0").id)).type).toBe("COMPLETED");
  });

  it("serves without it when nobody reads the socket any more", async ({ expect }) => {
    await using scene = await openScene();
    await scene.worker({ env: { NOTIFY_SOCKET: scene.path("nobody"), WATCHDOG_USEC: "200000" } });
    expect((await scene.server.waitForEnd(scene.script("exit 0").id)).type).toBe("COMPLETED");
  });
});
