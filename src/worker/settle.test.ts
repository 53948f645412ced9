import { describe, it } from "vitest";

import { RunControl } from "./control.ts";
import { judge } from "./settle.ts";

import type { StateType } from "../api/types.ts";
import type { LaunchResult } from "../launcher/types.ts";
import type { Attempt } from "./attempt.ts";
import type { StopReason } from "./control.ts";

interface Case {
  readonly kind?: Attempt["kind"];
  readonly stop?: StopReason;
  readonly result: LaunchResult;
  readonly state: StateType;
  readonly acknowledged?: boolean;
}

function verdict({ kind = "engine", stop, result, state, acknowledged = false }: Case): string {
  const control = new RunControl();
  if (stop !== undefined) control.stop(stop, { graceMs: 0 });
  const attempt = { kind, control, outputTail: () => ["Traceback", "ValueError: no"] } as unknown as Attempt;
  const now = Date.UTC(2026, 0, 1);
  const found = judge({ attempt, result, state: { type: state, name: state }, acknowledged, now });
  return found === null ? "-" : `${found.proposal.name}${found.force ? " (forced)" : ""}`;
}

const exited = (code: number): LaunchResult => ({ kind: "exited", code });
const killed: LaunchResult = { kind: "signaled", signal: "SIGKILL", forced: false };
const gone: LaunchResult = { kind: "gone" };

describe("judge", () => {
  it.for<[string, Case, string]>([
    ["the engine reported", { result: exited(0), state: "COMPLETED" }, "-"],
    ["the engine reported a failure and exits with 1", { result: exited(1), state: "FAILED" }, "-"],
    ["it died while running", { result: killed, state: "RUNNING" }, "Crashed"],
    ["it could not load the flow", { result: exited(1), state: "PENDING" }, "Crashed"],
    ["it left the run open with code 0", { result: exited(0), state: "RUNNING" }, "Crashed"],
    ["a suspended run", { result: exited(0), state: "PAUSED" }, "-"],
    ["a run that waits for its retry in a dead process", { result: killed, state: "SCHEDULED" }, "Crashed"],
    [
      "a custom command left the run to somebody else",
      { kind: "custom", result: exited(0), state: "RUNNING" },
      "-",
    ],
    ["a custom command failed", { kind: "custom", result: exited(3), state: "PENDING" }, "Crashed"],
    [
      "the engine's receipt says it is concluded",
      {
        result: { kind: "exited", code: 1, receipt: { disposition: "ORCHESTRATION_ABORTED" } },
        state: "RUNNING",
      },
      "-",
    ],
    ["a program succeeded", { kind: "command", result: exited(0), state: "RUNNING" }, "Completed"],
    ["a program failed", { kind: "command", result: exited(3), state: "RUNNING" }, "Failed"],
    ["a program was killed", { kind: "command", result: killed, state: "RUNNING" }, "Crashed"],
    ["cancelled, the engine did it all", { stop: "cancel", result: exited(0), state: "CANCELLED" }, "-"],
    [
      "cancelled, still cancelling",
      { stop: "cancel", result: exited(0), state: "CANCELLING" },
      "Cancelled (forced)",
    ],
    [
      "cancelled, an engine without the channel wrote CRASHED",
      { stop: "cancel", result: killed, state: "CRASHED" },
      "Cancelled (forced)",
    ],
    ["cancelled, but it was done before", { stop: "cancel", result: exited(0), state: "COMPLETED" }, "-"],
    [
      "cancelled by somebody, noticed only at its end",
      { result: killed, state: "CANCELLING" },
      "Cancelled (forced)",
    ],
    [
      "handed back",
      { stop: "hand-back", result: exited(0), state: "RUNNING", acknowledged: true },
      "AwaitingRetry",
    ],
    [
      "handed back, the engine knows no channel",
      { stop: "hand-back", result: killed, state: "RUNNING" },
      "Crashed",
    ],
    [
      "handed back, the engine was still importing",
      { stop: "hand-back", result: killed, state: "PENDING" },
      "AwaitingRetry",
    ],
    [
      "ended by the second signal while importing",
      { stop: "end", result: killed, state: "PENDING" },
      "AwaitingRetry",
    ],
    [
      "handed back, but it was done",
      { stop: "hand-back", result: exited(0), state: "COMPLETED", acknowledged: true },
      "-",
    ],
    ["ended by the second signal", { stop: "end", result: killed, state: "RUNNING" }, "Crashed"],
    ["found dead after a restart", { result: gone, state: "RUNNING" }, "Crashed"],
    ["found done after a restart", { result: gone, state: "COMPLETED" }, "-"],
  ])("%s", ([, input, expected], { expect }) => {
    expect(verdict(input)).toBe(expected);
  });
});
