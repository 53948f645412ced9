import { describe, it } from "vitest";

import { subscribeToEvents } from "../../../src/api/events.ts";
import { systemClock } from "../../../src/lifecycle/clock.ts";
import { hasOpenssl, makeCertificates } from "../../support/certificates.ts";
import { startFakePrefectServer } from "../../support/fake-prefect-server.ts";
import { startFakeProxy } from "../../support/fake-proxy.ts";
import { failureOf, testClient } from "./client.ts";

import type { PrefectClient } from "../../../src/api/client.ts";

/** Resolves with an error when the events socket could not be opened. */
async function openEvents(client: PrefectClient): Promise<Error | undefined> {
  const end = new AbortController();
  let subscription;
  try {
    return await new Promise<Error | undefined>((resolve) => {
      subscription = subscribeToEvents({
        transport: client.transport,
        filter: () => ({}),
        clock: systemClock,
        signal: end.signal,
        onEvent: () => undefined,
        onConnected: () => resolve(undefined),
        onDisconnected: resolve,
      });
    });
  } finally {
    end.abort();
    await (subscription as { done: Promise<void> } | undefined)?.done;
  }
}

describe("proxies", () => {
  it("carry plain requests as such and WebSockets through a tunnel", async ({ expect }) => {
    await using server = await startFakePrefectServer();
    await using proxy = await startFakeProxy({ userInfo: "pat:p@ss" });
    const httpProxy = proxy.url.replace("://", "://pat:p%40ss@");
    await using client = testClient({ apiUrl: server.apiUrl, proxies: { httpProxy } });
    await client.createLogs([]);
    expect(proxy.requests).toContain(`POST ${server.apiUrl}/logs/`);
    expect(await openEvents(client)).toBeUndefined();
    expect(proxy.requests).toContain(`CONNECT 127.0.0.1:${server.port}`);
  });

  it.skipIf(!hasOpenssl)("tunnel TLS for both, checked against the given CA", async ({ expect }) => {
    using certificates = makeCertificates();
    await using server = await startFakePrefectServer({ tls: certificates });
    await using proxy = await startFakeProxy();
    const options = { apiUrl: server.apiUrl, proxies: { allProxy: proxy.url.replace("http://", "") } };
    await using trusting = testClient({ ...options, tls: { caFile: certificates.caFile } });
    await trusting.health();
    expect(await openEvents(trusting)).toBeUndefined();
    expect(new Set(proxy.requests)).toEqual(new Set([`CONNECT 127.0.0.1:${server.port}`]));

    await using distrusting = testClient(options);
    expect(String(await failureOf(distrusting.health({ retries: 0 })))).toContain("certificate not trusted");
  });

  it.for([
    ["the host", "127.0.0.1"],
    ["the host among others", "example.com, 127.0.0.1"],
    ["everything", "a,*"],
    ["host and port", "127.0.0.1:PORT"],
  ] as const)("are left out for %s", async ([, noProxy], { expect }) => {
    await using server = await startFakePrefectServer();
    await using proxy = await startFakeProxy();
    await using client = testClient({
      apiUrl: server.apiUrl,
      proxies: { httpProxy: proxy.url, noProxy: noProxy.replace("PORT", String(server.port)) },
    });
    await client.health();
    expect(await openEvents(client)).toBeUndefined();
    expect(proxy.requests).toEqual([]);
  });

  it("are chosen by the API's scheme alone", async ({ expect }) => {
    await using server = await startFakePrefectServer();
    await using proxy = await startFakeProxy();
    await using client = testClient({ apiUrl: server.apiUrl, proxies: { httpsProxy: proxy.url } });
    await client.health();
    expect(proxy.requests).toEqual([]);
  });

  it.skipIf(!hasOpenssl)("that want a password are named, and the password is not", async ({ expect }) => {
    using certificates = makeCertificates();
    await using proxy = await startFakeProxy({ userInfo: "pat:right" });
    const wrong = proxy.url.replace("://", "://pat:canary-word@");
    for (const tls of [undefined, certificates]) {
      await using server = await startFakePrefectServer(tls === undefined ? {} : { tls });
      await using client = testClient({
        apiUrl: server.apiUrl,
        proxies: { allProxy: wrong },
        tls: { insecureSkipVerify: true },
      });
      const failure = await failureOf(client.health({ retries: 0 }));
      expect(failure).toMatchObject({ hint: expect.stringMatching(/proxy's user and password/) });
      expect(String(failure)).toContain("407");
      expect(String(failure)).not.toContain("canary");
    }
  });

  it("that do not listen are named", async ({ expect }) => {
    const proxy = await startFakeProxy();
    await proxy[Symbol.asyncDispose]();
    await using client = testClient({ apiUrl: "http://prefect.test/api", proxies: { allProxy: proxy.url } });
    expect(String(await failureOf(client.health({ retries: 0 })))).toContain(
      `connection refused at http://prefect.test/api (through the proxy ${proxy.url})`,
    );
  });

  it("with a senseless address are refused", ({ expect }) => {
    const proxies = { httpProxy: "gopher://pat:canary@x" };
    expect(() => testClient({ apiUrl: "http://x/api", proxies })).toThrow(/^HTTP_PROXY or ALL_PROXY is no/);
  });
});

describe("TLS", () => {
  it.skipIf(!hasOpenssl)("trusts the given CA file, for WebSockets too", async ({ expect }) => {
    using certificates = makeCertificates();
    await using server = await startFakePrefectServer({ tls: certificates });
    await using trusting = testClient({ apiUrl: server.apiUrl, tls: { caFile: certificates.caFile } });
    await trusting.health();
    expect(await openEvents(trusting)).toBeUndefined();
  });

  it.skipIf(!hasOpenssl)(
    "says what to do about an unknown CA, and can skip the check",
    async ({ expect }) => {
      using certificates = makeCertificates();
      await using server = await startFakePrefectServer({ tls: certificates });
      await using strict = testClient({ apiUrl: server.apiUrl });
      const failure = await failureOf(strict.health());
      expect(failure).toMatchObject({
        code: "API_UNREACHABLE",
        hint: expect.stringContaining("PREFECT_API_SSL_CERT_FILE"),
      });
      expect(String(failure)).toContain("certificate not trusted at https://127.0.0.1");
      expect(String(await openEvents(strict))).toContain("certificate not trusted");

      await using lax = testClient({ apiUrl: server.apiUrl, tls: { insecureSkipVerify: true } });
      await lax.health();
      expect(await openEvents(lax)).toBeUndefined();
    },
  );

  it("knows a server that speaks none", async ({ expect }) => {
    await using server = await startFakePrefectServer();
    await using client = testClient({ apiUrl: server.apiUrl.replace("http:", "https:") });
    expect(await failureOf(client.health())).toMatchObject({
      hint: "Use http:// in PREFECT_API_URL if the server speaks no TLS.",
    });
  });

  it("names a CA file that cannot be read", ({ expect }) => {
    expect(() => testClient({ apiUrl: "https://x/api", tls: { caFile: "/no/such.pem" } })).toThrow(
      "The CA file /no/such.pem cannot be read",
    );
  });
});

describe("redirects", () => {
  it("are followed on the same host, with method and body", async ({ expect }) => {
    await using server = await startFakePrefectServer();
    await using client = testClient({ apiUrl: server.apiUrl.replace("/api", "/old") });
    const location = `${server.apiUrl}/logs/`;
    server.fault({ path: "/old/logs/", kind: "status", status: 308, headers: { location } });
    await client.createLogs([{ name: "x", level: 20, message: "hi", timestamp: "t" }]);
    expect(server.store.logs).toHaveLength(1);
  });

  it("to another host are told, not followed", async ({ expect }) => {
    await using server = await startFakePrefectServer();
    await using client = testClient({ apiUrl: server.apiUrl, apiKey: "secret-key" });
    const location = "https://login.example.com/sso?x=1";
    server.fault({ kind: "status", status: 302, headers: { location } });
    expect(await failureOf(client.health())).toMatchObject({
      status: 302,
      hint: expect.stringContaining("redirects to https://login.example.com/sso:"),
    });
  });
});
