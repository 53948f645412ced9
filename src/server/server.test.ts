import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { pino } from "pino";
import { describe, expect, onTestFinished, test } from "vitest";

import { startServer } from "./server.ts";

async function dataDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "server-test-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

const logger = pino({ level: "silent" });

describe("startServer", () => {
  test("answers, and ends with its files closed", async () => {
    const directory = await dataDirectory();
    for (let start = 0; start < 2; start += 1) {
      const server = await startServer({ settings: { dataDirectory: directory, port: 0 }, logger });
      try {
        const version = await fetch(`${server.apiUrl}/admin/version/`);
        expect(await version.json()).toBe("3.8.8");
        const missing = await fetch(`${server.apiUrl}/no-such-thing`);
        expect([missing.status, await missing.json()]).toEqual([404, { detail: "Not Found" }]);
      } finally {
        await server.close();
      }
    }
  });

  test("refuses a database that another server has open", async () => {
    const directory = await dataDirectory();
    const first = await startServer({ settings: { dataDirectory: directory, port: 0 }, logger });
    try {
      await expect(
        startServer({ settings: { dataDirectory: directory, port: 0 }, logger }),
      ).rejects.toMatchObject({ code: "DATABASE_UNUSABLE" });
    } finally {
      await first.close();
    }
  });

  test("says that the port is taken", async () => {
    const first = await startServer({ settings: { dataDirectory: await dataDirectory(), port: 0 }, logger });
    try {
      const port = Number(new URL(first.url).port);
      const second = startServer({ settings: { dataDirectory: await dataDirectory(), port }, logger });
      await expect(second).rejects.toMatchObject({
        code: "CONFIG_INVALID",
        message: expect.stringContaining(`${port}`),
      });
    } finally {
      await first.close();
    }
  });

  test("wants the auth string, but not for its health", async () => {
    const settings = { dataDirectory: await dataDirectory(), port: 0, authString: "admin:säcret" };
    const server = await startServer({ settings, logger });
    try {
      const authorization = `Basic ${Buffer.from("admin:säcret").toString("base64")}`;
      const statuses = await Promise.all([
        fetch(`${server.apiUrl}/admin/version`).then(({ status }) => status),
        fetch(`${server.apiUrl}/admin/version`, { headers: { authorization } }).then(({ status }) => status),
        fetch(`${server.apiUrl}/health`).then(({ status }) => status),
      ]);
      expect(statuses).toEqual([401, 200, 200]);
    } finally {
      await server.close();
    }
  });
});
