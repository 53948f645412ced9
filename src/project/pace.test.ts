import { setImmediate as turn } from "node:timers/promises";
import { describe, it } from "vitest";

import { ApiError } from "../api/errors.ts";
import { Pace } from "./pace.ts";

/** Does so many tasks; gives the largest number of them that went on at once. */
async function widest(pace: Pace, count: number, { write = true } = {}): Promise<number> {
  let now = 0;
  let most = 0;
  const tasks = Array.from({ length: count }, () =>
    pace.do(async () => {
      now += 1;
      most = Math.max(most, now);
      await turn();
      now -= 1;
      if (write) pace.succeed();
    }),
  );
  await Promise.all(tasks);
  return most;
}

function refusal(status: number): { error: ApiError } {
  return { error: new ApiError({ method: "POST", path: "/", status, detail: "" }) };
}

describe("the pace of registrations", () => {
  it("begins with one at a time, and doubles as long as none is refused", async ({ expect }) => {
    const pace = new Pace({ first: 1, most: 8 });
    expect(await widest(pace, 200, { write: false })).toBe(1);
    expect(await widest(pace, 6)).toBe(1);
    expect(await widest(pace, 12)).toBe(2);
    expect(await widest(pace, 200)).toBe(8);
  });

  it.for([503, 429])("goes on one by one once %i is answered", async (status, { expect }) => {
    const pace = new Pace({ first: 8, most: 8 });
    expect(await widest(pace, 20)).toBe(8);
    pace.onRetry(refusal(status));
    expect(await widest(pace, 200)).toBe(1);
  });

  it("heeds no other trouble", async ({ expect }) => {
    const pace = new Pace({ first: 2, most: 2 });
    pace.onRetry(refusal(502));
    expect(await widest(pace, 200)).toBe(2);
  });
});
