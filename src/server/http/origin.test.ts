import { expect, test } from "vitest";

import { isForeignRequest, isForeignSocket } from "./origin.ts";

test.for([
  ["POST", { "sec-fetch-site": "cross-site" }, true],
  ["DELETE", { "sec-fetch-site": "cross-site" }, true],
  ["GET", { "sec-fetch-site": "cross-site" }, false],
  ["POST", { "sec-fetch-site": "same-origin" }, false],
  ["POST", { "sec-fetch-site": "none" }, false],
  ["POST", {}, false],
] as const)("isForeignRequest: %s with %j is %s", ([method, headers, isForeign]) => {
  expect(isForeignRequest(method, headers)).toBe(isForeign);
});

test.for([
  [{ host: "127.0.0.1:4200" }, false],
  [{ host: "127.0.0.1:4200", origin: "http://127.0.0.1:4200" }, false],
  [{ host: "127.0.0.1:4200", origin: "http://localhost:4200" }, true],
  [{ host: "127.0.0.1:4200", origin: "https://example.org" }, true],
  [{ host: "127.0.0.1:4200", origin: "null" }, true],
  [
    { host: "127.0.0.1:4200", origin: "https://flows.example.org", "x-forwarded-host": "flows.example.org" },
    false,
  ],
] as const)("isForeignSocket: %j is %s", ([headers, isForeign]) => {
  expect(isForeignSocket(headers)).toBe(isForeign);
});
