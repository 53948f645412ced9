import { describe, it } from "vitest";

import { DeadlineReached, describeTransportFailure } from "./transport-failure.ts";

const request = { method: "GET", path: "/work_pools/p" };
const direct = { apiUrl: "http://host:4200/api", proxy: null, redact: (text: string) => text };
const proxied = { ...direct, proxy: "http://squid:3128" };

function failure(code: string, message = code): Error {
  return Object.assign(new Error(message), { code });
}

describe("describeTransportFailure", () => {
  it.for([
    ["ECONNREFUSED", "connect", "connection refused at http://host:4200/api"],
    ["EHOSTUNREACH", "connect", "no route to http://host:4200/api (EHOSTUNREACH)"],
    ["UND_ERR_CONNECT_TIMEOUT", "timeout", "no connection in time at http://host:4200/api"],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", "connect", "certificate not trusted at http://host:4200/api"],
    ["CERT_HAS_EXPIRED", "connect", "certificate outside its dates at http://host:4200/api"],
    ["ERR_SSL_WRONG_VERSION_NUMBER", "connect", "no TLS at http://host:4200/api"],
    ["ECONNRESET", "exchange", "the connection to http://host:4200/api broke"],
    ["HPE_INVALID_CONSTANT", "exchange", "HPE_INVALID_CONSTANT at http://host:4200/api"],
  ] as const)("%s", ([code, kind, text], { expect }) => {
    const error = describeTransportFailure(failure(code), request, direct);
    expect(error).toMatchObject({ code: "API_UNREACHABLE", retryable: true, failure: kind });
    expect(error.message).toContain(`No answer to GET /work_pools/p: ${text}`);
  });

  it("names the host that cannot be resolved", ({ expect }) => {
    const thrown = Object.assign(failure("ENOTFOUND"), { hostname: "prefect.typo" });
    const error = describeTransportFailure(thrown, request, direct);
    expect(error.message).toContain("the name of prefect.typo cannot be resolved");
    expect(error.hint).toContain("DNS");
  });

  it("tells the deadline from other timeouts and names the proxy", ({ expect }) => {
    const error = describeTransportFailure(
      new DeadlineReached("no complete answer within 60 s"),
      request,
      proxied,
    );
    expect(error.failure).toBe("timeout");
    expect(error.message).toBe(
      "No answer to GET /work_pools/p: no complete answer within 60 s at http://host:4200/api (through the proxy http://squid:3128)",
    );
  });

  it("says what the proxy answered", ({ expect }) => {
    const thrown = failure("UND_ERR_ABORTED", "Proxy response (407) !== 200 when HTTP Tunneling");
    const error = describeTransportFailure(thrown, request, proxied);
    expect(error.message).toContain("the proxy http://squid:3128 answered 407 instead of connecting to");
    expect(error.hint).toContain("user:password@host");
  });
});
