import { describe, expect, test } from "vitest";

import { NO_FILTER, apiFilterOf, filterOfQuery, queryOfFilter } from "./run-filter.ts";

import type { RunFilter } from "./run-filter.ts";

const FULL: RunFilter = {
  range: "24h",
  states: ["late", "failed"],
  flow: undefined,
  deployment: "d1",
  text: "a b",
};

describe("the filter in the address", () => {
  test("comes back as it went", () => {
    expect(queryOfFilter(FULL)).toBe("?range=24h&state=late,failed&deployment=d1&q=a+b");
    expect(filterOfQuery(queryOfFilter(FULL))).toEqual(FULL);
    expect(queryOfFilter(NO_FILTER)).toBe("");
    expect(filterOfQuery("")).toEqual(NO_FILTER);
  });

  test("what makes no sense is left out", () => {
    expect(filterOfQuery("?range=1y&state=failed,odd&x=1")).toEqual({ ...NO_FILTER, states: ["failed"] });
    expect(filterOfQuery("?range=toString")).toEqual(NO_FILTER);
  });
});

describe("apiFilterOf", () => {
  test("is Prefect's filter", () => {
    expect(apiFilterOf(FULL, { id: { any_: ["r"] } })).toEqual({
      flow_runs: {
        name: { like_: "a b" },
        state: { operator: "or_", type: { any_: ["FAILED"] }, name: { any_: ["Late"] } },
        id: { any_: ["r"] },
      },
      deployments: { id: { any_: ["d1"] } },
    });
    expect(apiFilterOf({ ...NO_FILTER, flow: "f" })).toEqual({
      flow_runs: {},
      flows: { id: { any_: ["f"] } },
    });
  });
});
