import { describe, it } from "vitest";

import { createCsrfTokens, isCsrfRefusal } from "./csrf.ts";
import { ApiError } from "./errors.ts";

import type { Json } from "../json/value.ts";

function status(code: number, detail: string): ApiError {
  return new ApiError({ method: "GET", path: "/csrf-token", status: code, detail });
}

describe("createCsrfTokens", () => {
  it("asks once for all, and again after the token's end", async ({ expect }) => {
    let now = Date.parse("2026-11-23T12:00:00Z");
    const paths: string[] = [];
    const tokens = createCsrfTokens(
      async (path): Promise<Json> => {
        paths.push(path);
        return { token: `t${paths.length}`, expiration: new Date(now + 1000).toISOString() };
      },
      { isEnabled: true, now: () => now },
    );
    const [first, second] = await Promise.all([tokens.headers(1), tokens.headers(1)]);
    expect(first).toEqual(second);
    expect(first["prefect-csrf-token"]).toBe("t1");
    expect(paths).toEqual([`/csrf-token?client=${first["prefect-csrf-client"]}`]);
    now += 1001;
    const renewed = await tokens.headers(1);
    expect(renewed).toEqual({ ...first, "prefect-csrf-token": "t2" });
  });

  it.for([
    [404, "Not Found"],
    [422, "CSRF protection is disabled."],
  ] as const)("stops asking after %i %s, until a token is demanded", async ([code, detail], { expect }) => {
    let calls = 0;
    const tokens = createCsrfTokens(
      async () => {
        calls += 1;
        throw status(code, detail);
      },
      { isEnabled: true, now: Date.now },
    );
    expect(await tokens.headers(1)).toEqual({});
    expect(await tokens.headers(1)).toEqual({});
    expect(calls).toBe(1);
    tokens.forget();
    await tokens.headers(1);
    expect(calls).toBe(2);
  });

  it("passes other errors on, and asks again next time", async ({ expect }) => {
    const answers: (Json | Error)[] = [status(422, "client is missing"), { token: "t" }];
    const tokens = createCsrfTokens(
      async () => {
        const answer = answers.shift();
        if (answer instanceof Error) throw answer;
        return answer ?? null;
      },
      { isEnabled: true, now: Date.now },
    );
    await expect(tokens.headers(1)).rejects.toMatchObject({ status: 422 });
    expect(await tokens.headers(1)).toMatchObject({ "prefect-csrf-token": "t" });
  });

  it("knows a refused token from other 403s", ({ expect }) => {
    expect(isCsrfRefusal(status(403, "Invalid CSRF token or client identifier."))).toBe(true);
    expect(isCsrfRefusal(status(403, "Missing CSRF token."))).toBe(true);
    expect(isCsrfRefusal(status(403, "Forbidden"))).toBe(false);
    expect(isCsrfRefusal(new Error("Invalid CSRF token"))).toBe(false);
  });
});
