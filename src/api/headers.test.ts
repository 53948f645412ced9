import { describe, it } from "vitest";

import { parseApiAddress } from "./address.ts";
import { buildHeaders, buildWebSocketHeaders, webSocketToken } from "./headers.ts";

const address = parseApiAddress("http://127.0.0.1:4200/api");
const userAgentVersion = "1.2.3";

describe("buildHeaders", () => {
  it("says who it is and which API it speaks", ({ expect }) => {
    expect(buildHeaders(address, { userAgentVersion })).toEqual({
      "user-agent": "lighterman/1.2.3 (API 0.8.4)",
      "x-prefect-api-version": "0.8.4",
    });
  });

  it("prefers user info in the URL, then the auth string, then the key", ({ expect }) => {
    const key = { apiKey: "pnu_1", userAgentVersion };
    expect(buildHeaders(address, key)["authorization"]).toBe("Bearer pnu_1");
    const both = { ...key, authString: "admin:pass" };
    expect(buildHeaders(address, both)["authorization"]).toBe(`Basic ${btoa("admin:pass")}`);
    const withUser = parseApiAddress("http://nginx:door@127.0.0.1:4200/api");
    expect(buildHeaders(withUser, both)["authorization"]).toBe(`Basic ${btoa("nginx:door")}`);
  });

  it("counts empty texts as not set", ({ expect }) => {
    const credentials = { apiKey: "", authString: "", userAgentVersion };
    expect(buildHeaders(address, credentials)).not.toHaveProperty("authorization");
    expect(webSocketToken(credentials)).toBeNull();
  });

  it("lets custom headers replace all but the protected ones", ({ expect }) => {
    const customHeaders = {
      "User-Agent": "evil",
      "Prefect-Csrf-Token": "evil",
      "PREFECT-CSRF-CLIENT": "evil",
      "X-Team": "data",
      Authorization: "Custom x",
    };
    expect(buildHeaders(address, { apiKey: "k", customHeaders, userAgentVersion })).toEqual({
      "user-agent": "lighterman/1.2.3 (API 0.8.4)",
      "x-prefect-api-version": "0.8.4",
      authorization: "Custom x",
      "x-team": "data",
    });
  });

  it("keeps the handshake's own headers on WebSockets", ({ expect }) => {
    const customHeaders = { Host: "evil", "Sec-WebSocket-Key": "evil", Upgrade: "evil", "X-Team": "data" };
    const headers = buildWebSocketHeaders(address, { customHeaders, userAgentVersion });
    expect(Object.keys(headers).sort()).toEqual(["user-agent", "x-prefect-api-version", "x-team"]);
  });
});
