import { describe, expect, test } from "vitest";

import { phaseTotals, phasesOf, pullStepOf, roughPhasesOf, stateEntryOf } from "./phases.ts";

import type { StateType } from "../api/types.ts";
import type { PullStep, RunHistory, StateEntry } from "./phases.ts";

/** `[type, name, second, due second?]` */
type State = readonly [StateType, string, number, number?];

function history(
  states: readonly State[],
  pulls: readonly (readonly [index: number, second: number, failed?: boolean])[] = [],
  pullStepCount = 0,
): RunHistory {
  return {
    states: states.map(([type, name, at, dueAt]): StateEntry => ({
      id: `${at}-${name}`,
      type,
      name,
      at,
      dueAt,
    })),
    pulls: pulls.map(([index, at, hasFailed = false]): PullStep => ({ index, at, hasFailed })),
    pullStepCount,
  };
}

function shown(given: RunHistory, now: number): string {
  return phasesOf(given, now)
    .map(({ phase, from, to }) => `${phase} ${from}-${to ?? ""}`)
    .join(", ");
}

const SCHEDULED: State = ["SCHEDULED", "Scheduled", 0, 10];
const CLAIMED: readonly State[] = [SCHEDULED, ["PENDING", "Pending", 20], ["PENDING", "Submitting", 22]];

describe("phasesOf", () => {
  test("a run that has not begun has none until it is due", () => {
    expect(shown(history([SCHEDULED]), 5)).toBe("");
    expect(shown(history([SCHEDULED]), 15)).toBe("late 10-");
    expect(shown(history([SCHEDULED, ["SCHEDULED", "Late", 14, 10]]), 15)).toBe("late 10-");
  });

  test("late, pending, pulling, pending, running: the steps' events end the pulling", () => {
    const states: State[] = [...CLAIMED, ["RUNNING", "Running", 40], ["COMPLETED", "Completed", 50]];
    expect(
      shown(
        history(
          states,
          [
            [0, 25],
            [1, 35],
          ],
          2,
        ),
        99,
      ),
    ).toBe("late 10-20, pending 20-22, pulling 22-35, pending 35-40, running 40-50");
  });

  test("pulling is seen while it lasts, step by step", () => {
    expect(shown(history(CLAIMED, [], 2), 30)).toBe("late 10-20, pending 20-22, pulling 22-");
    expect(shown(history(CLAIMED, [[0, 25]], 2), 30)).toBe("late 10-20, pending 20-22, pulling 22-");
    expect(
      shown(
        history(
          CLAIMED,
          [
            [0, 25],
            [1, 28],
          ],
          2,
        ),
        30,
      ),
    ).toBe("late 10-20, pending 20-22, pulling 22-28, pending 28-");
  });

  test("a deployment without pull steps never pulls", () => {
    expect(shown(history(CLAIMED, [], 0), 30)).toBe("late 10-20, pending 20-");
  });

  test("once their events are gone, pulling cannot be told from pending", () => {
    expect(shown(history([...CLAIMED, ["RUNNING", "Running", 40]], [], 2), 45)).toBe(
      "late 10-20, pending 20-40, running 40-",
    );
  });

  test("a step that fails ends the pulling", () => {
    const states: State[] = [...CLAIMED, ["CRASHED", "Crashed", 31]];
    expect(shown(history(CLAIMED, [[0, 30, true]], 2), 30.5)).toContain("pulling 22-30, pending 30-");
    expect(shown(history(states, [[0, 30, true]], 2), 99)).toBe(
      "late 10-20, pending 20-22, pulling 22-30, pending 30-31",
    );
  });

  test("without a Submitting state the pulling counts from the claim", () => {
    const states: State[] = [SCHEDULED, ["PENDING", "Pending", 20], ["RUNNING", "Running", 40]];
    expect(shown(history(states, [[0, 30]], 1), 45)).toBe(
      "late 10-20, pulling 20-30, pending 30-40, running 40-",
    );
  });

  test("a worker's clock that is wrong does not leave the bar", () => {
    const states: State[] = [...CLAIMED, ["RUNNING", "Running", 40], ["COMPLETED", "Completed", 50]];
    expect(shown(history(states, [[0, 500]], 1), 99)).toBe(
      "late 10-20, pending 20-22, pulling 22-40, running 40-50",
    );
    expect(shown(history(states, [[0, 1]], 1), 99)).toBe("late 10-20, pending 20-40, running 40-50");
  });

  test("each attempt has its own pulling", () => {
    const states: State[] = [
      ...CLAIMED,
      ["RUNNING", "Running", 40],
      ["SCHEDULED", "AwaitingRetry", 50, 60],
      ["PENDING", "Pending", 61],
      ["PENDING", "Submitting", 62],
    ];
    expect(
      shown(
        history(
          states,
          [
            [0, 30],
            [0, 70],
          ],
          1,
        ),
        80,
      ),
    ).toBe(
      "late 10-20, pending 20-22, pulling 22-30, pending 30-40, running 40-50, waiting 50-60, late 60-61, pending 61-62, pulling 62-70, pending 70-",
    );
  });

  test("pauses, retries within the process and cancellation", () => {
    expect(
      shown(
        history([
          ["RUNNING", "Running", 0],
          ["PAUSED", "Paused", 5],
          ["RUNNING", "Running", 9],
          ["SCHEDULED", "AwaitingRetry", 12, 15],
          ["RUNNING", "Retrying", 15],
          ["CANCELLING", "Cancelling", 20],
          ["CANCELLED", "Cancelled", 22],
        ]),
        99,
      ),
    ).toBe("running 0-5, waiting 5-9, running 9-12, waiting 12-15, running 15-20, cancelling 20-22");
  });

  test("a retry that is not due yet goes on waiting", () => {
    const states: State[] = [
      ["RUNNING", "Running", 0],
      ["SCHEDULED", "AwaitingRetry", 12, 50],
    ];
    expect(shown(history(states), 20)).toBe("running 0-12, waiting 12-");
    expect(shown(history(states), 60)).toBe("running 0-12, waiting 12-50, late 50-");
  });

  test("a run cancelled before it began leaves nothing but its lateness", () => {
    expect(shown(history([SCHEDULED, ["CANCELLED", "Cancelled", 5]]), 99)).toBe("");
    expect(shown(history([SCHEDULED, ["CANCELLED", "Cancelled", 12]]), 99)).toBe("late 10-12");
  });
});

test("roughPhasesOf reads the run alone", () => {
  const at = (second: number): string => new Date(second * 1000).toISOString();
  const run = { expected_start_time: at(10), start_time: at(20), end_time: at(30), state_type: "COMPLETED" };
  expect(roughPhasesOf({ ...run, state_type: "COMPLETED" }, 99_000)).toEqual([
    { phase: "late", from: 10_000, to: 20_000 },
    { phase: "running", from: 20_000, to: 30_000 },
  ]);
  expect(roughPhasesOf({ ...run, start_time: null, end_time: null, state_type: "SCHEDULED" }, 5000)).toEqual(
    [],
  );
  expect(roughPhasesOf({ ...run, start_time: null, end_time: null, state_type: "PENDING" }, 12_000)).toEqual([
    { phase: "pending", from: 10_000, to: undefined },
  ]);
});

test("phaseTotals counts what goes on up to now", () => {
  const segments = phasesOf(history([...CLAIMED, ["RUNNING", "Running", 40]]), 45);
  expect(Object.fromEntries(phaseTotals(segments, 45))).toEqual({ late: 10, pending: 20, running: 5 });
});

test("stateEntryOf and pullStepOf read the API's shapes", () => {
  expect(
    stateEntryOf({
      id: "a",
      type: "SCHEDULED",
      name: "Scheduled",
      timestamp: "1970-01-01T00:00:01.000000Z",
      state_details: { scheduled_time: "1970-01-01T00:00:02.000000Z" },
    }),
  ).toEqual({ id: "a", type: "SCHEDULED", name: "Scheduled", at: 1000, dueAt: 2000 });
  const event = {
    id: "e",
    occurred: "1970-01-01T00:00:03Z",
    resource: {},
    related: [],
    payload: { index: 1 },
  };
  expect(pullStepOf({ ...event, event: "prefect.flow-run.pull-step.failed" })).toEqual({
    index: 1,
    at: 3000,
    hasFailed: true,
  });
  expect(pullStepOf({ ...event, event: "prefect.flow-run.Running" })).toBeUndefined();
});
