import { expect, test } from "vitest";

import { FakeClock } from "../../test/support/fake-clock.ts";
import { TransferProgress } from "./transfer-progress.ts";

test("the layers of a pull are summed up, at most every five seconds", async () => {
  const clock = new FakeClock();
  const told: string[] = [];
  const progress = new TransferProgress("Pulling app:1", clock, (text) => told.push(text));
  const layer = (id: string, status: string, current?: number, total?: number): void =>
    progress.add({
      id,
      status,
      ...(total === undefined ? {} : { progressDetail: { current: current ?? 0, total } }),
    });
  progress.add({ id: "1", status: "Pulling from team/app" });
  layer("a", "Already exists");
  layer("b", "Pulling fs layer");
  layer("c", "Downloading", 1_000_000, 20_000_000);
  expect(told).toEqual([]);
  await clock.advance(5000);
  layer("b", "Downloading", 500_000, 4_000_000);
  layer("b", "Download complete");
  layer("c", "Downloading", 6_000_000, 20_000_000);
  await clock.advance(5000);
  layer("b", "Extracting", 100, 4_000_000);
  layer("b", "Pull complete");
  expect(told).toEqual([
    "Pulling app:1: 1 of 3 layers, 1.5 of 24 MB so far",
    "Pulling app:1: 1 of 3 layers, 10 of 24 MB so far",
  ]);
  expect(String(progress)).toBe("Pulling app:1: 2 of 3 layers, 10 of 24 MB so far");
});
