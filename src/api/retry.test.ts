import { describe, it } from "vitest";

import { ApiError, isRetryable, UndecodableResponseError, UnreachableError } from "./errors.ts";
import { mayTryAgain, parseRetryAfter, RetryRounds } from "./retry.ts";

const request = { method: "GET", path: "/x" };
const fresh = { hasAnswered: false, hasDecoded: false };
const known = { hasAnswered: true, hasDecoded: true };
const rules = { extraCodes: new Set([500]), jitterFactor: 0.2, random: () => 0.5 };

function status(code: number): ApiError {
  return new ApiError({ ...request, status: code, detail: "" });
}

describe("mayTryAgain", () => {
  it.for([
    [400, false],
    [401, false],
    [404, false],
    [408, true],
    [409, false],
    [422, false],
    [429, true],
    [500, true], // an extra code here
    [502, true],
    [503, true],
    [504, false],
  ] as const)("status %i: %s", ([code, expected], { expect }) => {
    expect(mayTryAgain(status(code), rules, fresh)).toBe(expected);
  });

  it("tries timeouts and broken connections again at any time", ({ expect }) => {
    for (const failure of ["timeout", "exchange"] as const) {
      expect(mayTryAgain(new UnreachableError(failure, ""), rules, fresh)).toBe(true);
    }
  });

  it("tries a refused connection, or a page in place of JSON, again only where it has worked before", ({
    expect,
  }) => {
    const page = new UndecodableResponseError({ ...request, status: 200, contentType: "", snippet: "" });
    for (const error of [new UnreachableError("connect", ""), page]) {
      expect(mayTryAgain(error, rules, fresh)).toBe(false);
      expect(mayTryAgain(error, rules, known)).toBe(true);
    }
  });

  it("does not try anything else again", ({ expect }) => {
    expect(mayTryAgain(new TypeError("bug"), rules, known)).toBe(false);
  });
});

describe("isRetryable", () => {
  it("is true where waiting may help", ({ expect }) => {
    expect([401, 404, 429, 500, 504].map((code) => isRetryable(status(code)))).toEqual([
      false,
      false,
      true,
      true,
      true,
    ]);
    expect(isRetryable(new UnreachableError("connect", ""))).toBe(true);
    expect(isRetryable(new Error("bug"))).toBe(false);
  });
});

/** The waits of a call that fails in the same way until it gives up, at most twelve. */
function waits(error: unknown, { retries = 5, isEager = false, random = 0.5 } = {}): number[] {
  const rounds = new RetryRounds(retries, { ...rules, random: () => random }, isEager);
  const all: number[] = [];
  for (let ms = rounds.delayAfter(error); ms !== undefined && all.length < 12; ms = rounds.delayAfter(error))
    all.push(ms);
  return all;
}

describe("the waits between attempts", () => {
  it("double from 2 s", ({ expect }) => {
    expect(waits(status(502))).toEqual([2000, 4000, 8000, 16_000, 32_000]);
    expect(waits(new UnreachableError("timeout", ""), { retries: 1 })).toEqual([2000]);
    expect(waits(status(503), { retries: 0, isEager: true })).toEqual([]);
  });

  it("vary to both sides, but never go below Retry-After", ({ expect }) => {
    const first = (retryAfterMs?: number): (number | undefined)[] => {
      const error = new ApiError({ ...request, status: 429, detail: "", retryAfterMs });
      return [0, 0.5, 1].map((random) => waits(error, { random })[0]);
    };
    expect(first()).toEqual([1600, 2000, 2400]);
    expect(first(10_000)).toEqual([10_000, 11_000, 12_000]);
  });

  it("are not counted during a maintenance", ({ expect }) => {
    const error = new ApiError({ ...request, status: 503, detail: "", isMaintenance: true });
    expect(waits(error, { retries: 2, isEager: true })).toHaveLength(12);
  });

  it("are short at first for an eager call that the server's database refused", ({ expect }) => {
    const eager = (error: unknown): number[] => waits(error, { retries: 2, isEager: true });
    expect(eager(status(503))).toEqual([25, 50, 75, 100, 125, 150, 175, 200, 2000, 4000]);
    expect(eager(status(502))).toEqual([2000, 4000]);
    const told = new ApiError({ ...request, status: 503, detail: "", retryAfterMs: 10_000 });
    expect(eager(told)).toEqual([11_000, 11_000]);
  });
});

describe("parseRetryAfter", () => {
  const now = Date.parse("2026-11-23T12:00:00Z");

  it.for([
    ["3", 3000],
    ["0.5", 500],
    ["-4", 0],
    ["Mon, 23 Nov 2026 12:00:07 GMT", 7000],
    ["Mon, 23 Nov 2026 11:00:00 GMT", 0],
    ["soon", undefined],
    ["", undefined],
    ["Infinity", undefined],
  ] as const)("%j", ([text, expected], { expect }) => {
    expect(parseRetryAfter(text, now)).toBe(expected);
  });
});
