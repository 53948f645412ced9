import { describe, it } from "vitest";

import { WorkerError } from "../errors.ts";
import { parseLogLevel } from "./levels.ts";
import { createLogger } from "./logger.ts";
import { MASK, Redactor } from "./redactor.ts";

import type { LoggerOptions } from "./logger.ts";

function capture(options: Partial<LoggerOptions> = {}): {
  logger: ReturnType<typeof createLogger>;
  readonly lines: () => string[];
} {
  const written: string[] = [];
  const redactor = new Redactor();
  redactor.add("t0psecret");
  redactor.add("123456");
  redactor.add("notfoo");
  const logger = createLogger({
    format: "pretty",
    level: "info",
    redactor,
    stream: { write: (text) => written.push(text) },
    ...options,
  });
  return { logger, lines: () => written.join("").split("\n").slice(0, -1) };
}

describe("pretty", () => {
  it("writes Prefect's console lines", ({ expect }) => {
    const { logger, lines } = capture();
    logger.child({ name: "prefect.workers.process.x" }).info("started");
    logger.child({ component: "poller" }).warn({ pool: "p", delay: 1.5 }, "slow poll");
    logger.child({ flowRunId: "1", flowRunName: "bold-ant" }).error("ended");
    logger.debug("not shown");
    expect(lines().map((line) => line.replace(/^\d\d:\d\d:\d\d\.\d{3}/, "T"))).toEqual([
      "T | INFO    | prefect.workers.process.x - started",
      "T | WARNING | lighterman.poller - slow poll pool=p delay=1.5",
      "T | ERROR   | Flow run 'bold-ant' - ended",
    ]);
  });

  it("shows an error's messages and hint, and its stack only at debug", ({ expect }) => {
    const err = new WorkerError("LAUNCH_FAILED", "no python", {
      hint: "Install it.",
      cause: new Error("ENOENT"),
    });
    const info = capture();
    info.logger.error({ err, run: "r" }, "Launch failed");
    expect(info.lines().map((line) => line.replace(/^\d\d:\d\d:\d\d\.\d{3}/, "T"))).toEqual([
      "T | ERROR   | lighterman - Launch failed: no python: ENOENT run=r",
      "  Install it.",
    ]);
    const debug = capture({ level: "debug" });
    debug.logger.error(err);
    expect(debug.lines()[0]).toContain("lighterman - no python: ENOENT");
    expect(debug.lines().join("\n")).toMatch(
      /WorkerError: no python\n +at .*\ncaused by: Error: ENOENT\n +at /s,
    );
  });

  it("colours only on a terminal", ({ expect }) => {
    const tty = capture({ isTty: true });
    tty.logger.warn("x");
    expect(tty.lines()[0]).toContain("\u001B[33mWARNING\u001B[0m | lighterman - x");
    const plain = capture();
    plain.logger.warn("x");
    expect(plain.lines()[0]).not.toContain("\u001B");
  });
});

describe("json", () => {
  it("writes one object a line, errors with hint, code and stack", ({ expect }) => {
    const { logger, lines } = capture({ format: "json" });
    const err = Object.assign(new Error("outer", { cause: new TypeError("inner") }), {
      code: "E1",
      request: { headers: { authorization: "x" } },
    });
    logger.child({ flowRunId: "1" }).error({ err }, "failed");
    const record = JSON.parse(lines()[0] ?? "") as Record<string, unknown>;
    expect(record).toMatchObject({ level: "error", flowRunId: "1", msg: "failed" });
    expect(record["err"]).toMatchObject({
      type: "Error",
      message: "outer",
      code: "E1",
      cause: { message: "inner" },
    });
    expect(record["err"]).not.toHaveProperty("request");
    expect(record["time"]).toMatch(/^\d{4}-.*Z$/);
  });

  it("stays JSON when a number, a key or the start of an escape is masked", ({ expect }) => {
    const { logger, lines } = capture({ format: "json" });
    logger.info({ pin: 123456, t0psecret: ["t0psecret!"] }, "a\notfoo b notfoo");
    expect(JSON.parse(lines()[0] ?? "")).toMatchObject({
      pin: MASK,
      [MASK]: [`${MASK}!`],
      msg: `a\notfoo b ${MASK}`,
    });
  });
});

it.for(["pretty", "json"] as const)("no secret passes in any field (%s)", (format, { expect }) => {
  const { logger, lines } = capture({ format, level: "debug" });
  const err = new Error("bad t0psecret", { cause: new Error("https://u:t0psecret@h") });
  logger.child({ url: "https://a:b@h/t0psecret" }).error({ err, deep: { x: ["t0psecret"] } }, "t0psecret");
  expect(lines().join("\n")).not.toContain("t0psecret");
  expect(lines().join("\n")).not.toContain("a:b");
});

it.for([
  ["WARNING", "warn"],
  ["critical", "fatal"],
  ["info", "info"],
  ["NOTSET", "trace"],
  ["loud", undefined],
] as const)("reads the level %s", ([text, level], { expect }) => {
  expect(parseLogLevel(text)).toBe(level);
});
