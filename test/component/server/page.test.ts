import { once } from "node:events";
import { readFile, readdir } from "node:fs/promises";
import { request } from "node:http";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";

import { startApi } from "./api.ts";

import type { IncomingMessage } from "node:http";

const built = fileURLToPath(new URL("../../../dist/page/", import.meta.url));
const MOST_BYTES = 60_000;

/** The path of the script that the HTML names. */
function scriptOf(html: string): string {
  return /src="([^"]+\.js)"/.exec(html)?.[1] ?? "no script";
}

describe("the page's files", () => {
  it("are served to be kept for ever, but not the HTML that names them", async () => {
    const { server } = await startApi();
    const page = await fetch(server.url);
    expect(page.status).toBe(200);
    expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(page.headers.get("cache-control")).toBe("no-cache");
    const script = scriptOf(await page.text());
    const asset = await fetch(server.url + script, { headers: { "accept-encoding": "gzip" } });
    expect(Object.fromEntries(asset.headers)).toMatchObject({
      "content-type": "text/javascript; charset=utf-8",
      "content-encoding": "gzip",
      "cache-control": "public, max-age=31536000, immutable",
      vary: "accept-encoding",
    });
    const plain = await fetch(server.url + script, { headers: { "accept-encoding": "identity" } });
    expect(plain.headers.get("content-encoding")).toBeNull();
    expect(await asset.text()).toBe(await plain.text());
  });

  it("allow nothing inline and nothing from elsewhere", async () => {
    const { server } = await startApi();
    const page = await fetch(server.url);
    const policy = page.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    expect(page.headers.get("x-content-type-options")).toBe("nosniff");
    const html = await page.text();
    expect(html).not.toMatch(/<script(?![^>]*\bsrc=)|\bstyle=|\bon\w+=|https?:/);
  });

  it("are small, and what was compressed is what is served", async () => {
    const assets = await readdir(`${built}assets`);
    const packed = assets.filter((name) => /^(?:page|style)-\w+\.(?:js|css)\.gz$/.test(name));
    expect(packed).toHaveLength(2);
    const contents = await Promise.all(packed.map((name) => readFile(`${built}assets/${name}`)));
    expect(contents.reduce((sum, { length }) => sum + length, 0)).toBeLessThan(MOST_BYTES);
    for (const [index, name] of packed.entries()) {
      const whole = await readFile(`${built}assets/${name.replace(/\.gz$/, "")}`);
      expect(gunzipSync(contents[index] ?? "").equals(whole)).toBe(true);
    }
  });
});

describe("addresses outside the API", () => {
  it("are the page's where it has a view, also those of Prefect's UI", async () => {
    const { server } = await startApi();
    const id = crypto.randomUUID();
    const paths = [
      "/runs",
      `/runs/${id}`,
      `/runs/flow-run/${id}`,
      "/deployments/?q=a",
      `/deployments/deployment/${id}`,
      "/work-pools/work-pool/mine",
      "/variables",
    ];
    for (const path of paths) {
      const answer = await fetch(server.url + path);
      expect([path, answer.status]).toEqual([path, 200]);
      expect(await answer.text()).toContain('<div id="page">');
    }
  });

  it("that are nobody's are 404: a page for browsers, JSON for others", async () => {
    const { server } = await startApi();
    const browser = await fetch(`${server.url}/elsewhere`, { headers: { accept: "text/html,*/*" } });
    expect([browser.status, browser.headers.get("content-type")]).toEqual([404, "text/html; charset=utf-8"]);
    for (const [method, path] of [
      ["GET", "/elsewhere"],
      ["GET", "/api/runs"],
      ["GET", "/assets/page.js"],
      ["GET", "/assets/%2e%2e/index.html"],
      ["POST", "/runs"],
    ] as const) {
      const answer = await fetch(server.url + path, { method, headers: { accept: "*/*" } });
      expect([path, answer.status, await answer.json()]).toEqual([path, 404, { detail: "Not Found" }]);
    }
  });

  it("of the API are refused to the pages of other sites, but for reading", async () => {
    const { server } = await startApi();
    const ask = async (method: string, site: string): Promise<number> => {
      // fetch() would not let the header be set.
      const answer = request(`${server.apiUrl}/flow_runs/count`, {
        method,
        headers: { "sec-fetch-site": site },
      }).end();
      const [{ statusCode }] = (await once(answer, "response")) as [IncomingMessage];
      return statusCode ?? 0;
    };
    expect(await ask("POST", "cross-site")).toBe(403);
    expect(await ask("POST", "same-origin")).toBe(200);
    expect(await ask("POST", "none")).toBe(200);
    expect(await ask("GET", "cross-site")).not.toBe(403);
  });

  it("need no login: the page asks for it by itself", async () => {
    const { server } = await startApi({ authString: "admin:secret" });
    const statuses = await Promise.all(
      ["/", "/runs", "/api/admin/version"].map((path) =>
        fetch(server.url + path).then(({ status }) => status),
      ),
    );
    expect(statuses).toEqual([200, 200, 401]);
  });
});
