import { EventEmitter } from "node:events";

import { describe, it } from "vitest";

import { listenForSignals } from "./shutdown.ts";

describe("listenForSignals", () => {
  it("stops, then ends, then leaves; SIGINT and SIGTERM count together", ({ expect }) => {
    const source = new EventEmitter();
    const seen: (string | number)[] = [];
    const unlisten = listenForSignals(source, {
      first: (signal) => seen.push(`first ${signal}`),
      second: (signal) => seen.push(`second ${signal}`),
      third: (code) => seen.push(code),
    });
    source.emit("SIGTERM", "SIGTERM");
    source.emit("SIGINT", "SIGINT");
    source.emit("SIGINT", "SIGINT");
    source.emit("SIGTERM", "SIGTERM");
    expect(seen).toEqual(["first SIGTERM", "second SIGINT", 130, 143]);
    unlisten();
    expect(source.eventNames()).toEqual([]);
  });
});
