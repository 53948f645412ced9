import { describe, it } from "vitest";

import { apiClientOf } from "./api-client.ts";

describe("apiClientOf", () => {
  it.for([
    ["prefect/3.8.8 (API 0.8.4)", true, false],
    ["prefect/3.4.11 (API 0.8.4)", true, false],
    ["prefect/3.4.11rc1 (API 0.8.4)", false, false],
    ["prefect/3.4.11.post1 (API 0.8.4)", true, false],
    ["prefect/3.4.10 (API 0.8.4)", false, false],
    ["prefect/4.0.0 (API 1.0)", true, false],
    ["prefect/3.0.0rc20 (API 0.8.4)", false, true],
    ["prefect/3.0.3 (API 0.8.4)", false, true],
    ["prefect/2.20.26 (API 0.8.4)", false, false],
    ["curl/8.0", false, false],
    [undefined, false, false],
  ] as const)("%s", ([userAgent, renewsLeases, takesSlotsItself], { expect }) => {
    expect(apiClientOf(userAgent)).toEqual({ renewsLeases, takesSlotsItself });
  });
});
