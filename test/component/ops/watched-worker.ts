import { until } from "../../support/deadline.ts";

import type { Scene } from "../worker/scene.ts";
import type { TestProcess } from "../../support/test-process.ts";

export interface WatchedWorker {
  readonly process: TestProcess;
  readonly url: string;
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Page>;
  /** Asks until the page is as it should be. */
  until(path: string, isSo: (page: Page) => boolean): Promise<Page>;
}

interface Page {
  readonly status: number;
  readonly text: string;
  readonly contentType: string;
  json(): Record<string, unknown>;
}

/** Our worker with its web server on a free port. */
export async function watchedWorker(
  scene: Scene,
  options: Parameters<Scene["worker"]>[0] = {},
): Promise<WatchedWorker> {
  const process = await scene.worker({
    ...options,
    args: [
      "--with-healthcheck",
      "--webserver-host",
      "127.0.0.1",
      "--webserver-port",
      "0",
      ...(options.args ?? []),
    ],
  });
  const line = await process.waitForLine(/are served on 127\.0\.0\.1:\d+/);
  const url = `http://127.0.0.1:${/served on 127\.0\.0\.1:(\d+)/.exec(line)?.[1] ?? ""}`;
  async function get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Page> {
    const response = await fetch(url + path, { headers });
    const text = await response.text();
    return {
      status: response.status,
      text,
      contentType: response.headers.get("content-type") ?? "",
      json: () => JSON.parse(text) as Record<string, unknown>,
    };
  }
  return {
    process,
    url,
    get,
    until: (path, isSo) => {
      let last: Page | undefined;
      return until(
        `${path} as it should be`,
        async () => {
          last = await get(path);
          return isSo(last) && last;
        },
        { timeoutMs: 10_000, everyMs: 20, detail: () => `${last?.status ?? "none"} ${last?.text ?? ""}` },
      );
    },
  };
}
