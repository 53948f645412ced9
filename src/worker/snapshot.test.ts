import { describe, it } from "vitest";

import { FakeClock } from "../../test/support/fake-clock.ts";
import { RunControl } from "./control.ts";
import { runSnapshot } from "./snapshot.ts";
import { Timings } from "./timings.ts";

import type { StopReason } from "./control.ts";
import type { Phase, RunFacts } from "./timings.ts";

interface Scene {
  readonly phase?: Phase;
  readonly identifier?: string;
  readonly stop?: StopReason;
  readonly facts?: RunFacts;
  readonly isStuck?: boolean;
  readonly isAdopted?: boolean;
}

function waitingFor({ phase, identifier, stop, facts = {}, isStuck, isAdopted }: Scene): string {
  const control = new RunControl();
  const timings = new Timings(new FakeClock());
  timings.learn(facts);
  if (phase !== undefined) timings.enter(phase);
  if (isStuck === true) timings.stuck();
  if (identifier !== undefined) {
    const result = { kind: "gone" } as const;
    control.attach({
      identifier,
      handle: {},
      ready: Promise.resolve(),
      exited: Promise.resolve(result),
      stop: () => Promise.resolve({ result, acknowledged: false }),
    });
  }
  if (stop !== undefined) control.stop(stop, { graceMs: 0 });
  const flowRun = { id: "id", name: "name" };
  return runSnapshot({ flowRun, control, timings: isAdopted === true ? null : timings, takenAt: 0 })
    .waitingFor;
}

describe("what a run waits for", () => {
  it.for<[Scene, string]>([
    [{}, "the server's answer to the claim"],
    [{ phase: "resolve" }, "deployment, blocks and variables from the API"],
    [{ phase: "pull" }, "its code"],
    [
      { phase: "pull", facts: { pullStep: { number: 2, count: 3, name: "git_clone" } } },
      "pull step 2 of 3 (git_clone)",
    ],
    [{ phase: "launch" }, "the start of its process"],
    [{ phase: "run", identifier: "4711" }, "the end of process 4711"],
    [
      { phase: "run", identifier: `unix:///run/docker.sock:${"0123456789abcdef".repeat(4)}` },
      "the end of container 0123456789ab",
    ],
    [{ phase: "run", identifier: "pod/a" }, "the end of pod/a"],
    [
      { phase: "run", identifier: "4711", stop: "cancel" },
      "the end of process 4711, which is being cancelled",
    ],
    [
      { phase: "run", identifier: "4711", stop: "hand-back" },
      "the end of process 4711, which is being handed back",
    ],
    [{ phase: "report" }, "the API to take its final state"],
    [{ phase: "report", isStuck: true }, "the Prefect API, which does not answer"],
    [{ isAdopted: true }, "its state, to settle what an earlier worker left"],
    [{ isAdopted: true, identifier: "4711" }, "the end of process 4711"],
  ])("%j: %s", ([scene, expected], { expect }) => {
    expect(waitingFor(scene)).toBe(expected);
  });
});
