import { once } from "node:events";
import { createServer } from "node:net";
import { describe, it } from "vitest";

import { startFakePrefectServer } from "../../support/fake-prefect-server.ts";
import { failureOf, testClient } from "./client.ts";

import type { AddressInfo, Server } from "node:net";

const DEADLINE_MS = 150;
/** What a loaded machine may add. */
const MARGIN_MS = 2000;

describe("deadline of an attempt", () => {
  it.for(["hang", "stall-body"] as const)("ends a request to a server that %ss", async (kind, { expect }) => {
    await using server = await startFakePrefectServer();
    await using client = testClient({ apiUrl: server.apiUrl, requestTimeoutMs: DEADLINE_MS });
    server.addWorkPool({ name: "p" });
    const fault = server.fault({ path: "/work_pools/p", kind });
    const start = performance.now();
    const failure = await failureOf(client.readWorkPool("p", { retries: 0 }));
    expect(performance.now() - start).toBeLessThan(DEADLINE_MS + MARGIN_MS);
    expect(failure).toMatchObject({ code: "API_UNREACHABLE", failure: "timeout", retryable: true });
    expect(String(failure)).toContain(
      kind === "hang" ? "within 0.15 s (no status line came)" : "within 0.15 s (the body did not end)",
    );
    // The connection is given up with the request, and the next one works.
    await server.waitFor("no connection", () => server.connectionCount === 0 || undefined);
    fault.clear();
    expect(await client.readWorkPool("p")).toMatchObject({ name: "p" });
  });

  it("ends a connection that is accepted and then never served", async ({ expect }) => {
    await using silent = await listen();
    await using client = testClient({ apiUrl: silent.apiUrl });
    const failure = await failureOf(client.health({ deadlineMs: DEADLINE_MS, retries: 0 }));
    expect(failure).toMatchObject({ failure: "timeout" });
    await silent.noConnection();
  });

  it("ends a TLS handshake that is never answered", async ({ expect }) => {
    await using silent = await listen();
    await using client = testClient({ apiUrl: silent.apiUrl.replace("http:", "https:") });
    const start = performance.now();
    const failure = await failureOf(client.health({ deadlineMs: DEADLINE_MS, retries: 0 }));
    expect(performance.now() - start).toBeLessThan(DEADLINE_MS + MARGIN_MS);
    expect(failure).toMatchObject({ failure: "timeout" });
  });

  it.for(["cut-body", "reset"] as const)(
    "takes %s for a broken connection at once",
    async (kind, { expect }) => {
      await using server = await startFakePrefectServer();
      await using client = testClient({ apiUrl: server.apiUrl });
      server.fault({ kind });
      const failure = await failureOf(client.readWorkPool("p", { retries: 0 }));
      expect(failure).toMatchObject({ code: "API_UNREACHABLE", failure: "exchange" });
    },
  );

  it("lets other requests pass while many hang", async ({ expect }) => {
    await using server = await startFakePrefectServer();
    await using client = testClient({ apiUrl: server.apiUrl });
    server.fault({ path: /^\/flows/, kind: "hang" });
    const hanging = Array.from({ length: 20 }, (_, index) =>
      failureOf(client.readFlow(String(index), { deadlineMs: 1000, retries: 0 })),
    );
    await server.waitForRequest({ path: /^\/flows/ }, 20);
    await client.health({ deadlineMs: 500, retries: 0 });
    for (const failure of await Promise.all(hanging)) expect(failure).toMatchObject({ failure: "timeout" });
  });
});

interface SilentServer extends AsyncDisposable {
  readonly apiUrl: string;
  noConnection(): Promise<void>;
}

async function listen(): Promise<SilentServer> {
  const closed: Promise<unknown>[] = [];
  const server: Server = createServer((socket) => {
    socket.on("error", () => undefined).resume();
    closed.push(once(socket, "close"));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    apiUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api`,
    noConnection: async () => void (await Promise.all(closed)),
    [Symbol.asyncDispose]: async () => {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
