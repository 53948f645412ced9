import { describe, it } from "vitest";

import { runCli } from "../../support/cli.ts";

import type { CliResult } from "../../support/cli.ts";

function preview(...flags: readonly string[]): Promise<CliResult> {
  return runCli(["schedule", "preview", ...flags]);
}

/** The instants of UTC that were printed. */
async function instants(...flags: readonly string[]): Promise<string[]> {
  const { code, stdout, stderr } = await preview(...flags, "--json");
  if (code !== 0) throw new Error(stderr);
  return (JSON.parse(stdout) as { utc: string }[]).map(({ utc }) => utc);
}

describe("schedule preview", () => {
  it("prints local time, UTC and the distance, and marks where the clocks have changed", async ({
    expect,
  }) => {
    const flags = [
      "--cron",
      "30 2 * * *",
      "--timezone",
      "Europe/Berlin",
      "--start",
      "2126-03-30",
      "--count",
      "3",
    ];
    const { code, stdout, stderr } = await preview(...flags);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout.replaceAll(/\tin .*/g, "")).toBe(
      "Sat 2126-03-30 02:30:00 +01:00\t2126-03-30T01:30:00Z\nSun 2126-03-31 03:30:00 +02:00\t2126-03-31T01:30:00Z\nMon 2126-04-01 02:30:00 +02:00\t2126-04-01T00:30:00Z\n",
    );
    expect(stdout).toMatch(/\tin \d+ years\n/);
    const onTerminal = await runCli(["schedule", "preview", ...flags], { columns: 100 });
    expect(onTerminal.stdout).toContain("Local time");
    expect(onTerminal.stdout).toContain("\u001b[33mSun 2126-03-31 03:30:00 +02:00");
    expect(JSON.parse((await preview(...flags, "--json")).stdout)[1]).toEqual({
      local: "2126-03-31T03:30:00+02:00",
      utc: "2126-03-31T01:30:00Z",
    });
  });

  it("takes intervals as people write them", async ({ expect }) => {
    const from = ["--anchor-date", "2026-01-01T00:00:00Z", "--start", "2026-01-01T00:00:01Z", "--count", "1"];
    for (const interval of ["5400", "1h30m", "90 minutes", "01:30:00", "PT1H30M"])
      expect(await instants("--interval", interval, ...from)).toEqual(["2026-01-01T01:30:00Z"]);
    expect(await instants("--interval", "1 day, 06:00:00", ...from)).toEqual(["2026-01-02T06:00:00Z"]);
  });

  it("takes rules, also with their zone as JSON, and tells when nothing comes any more", async ({
    expect,
  }) => {
    const rule = "DTSTART:20260101T090000\nRRULE:FREQ=DAILY;COUNT=2";
    const json = JSON.stringify({ rrule: rule, timezone: "America/New_York" });
    expect(await instants("--rrule", json, "--start", "2026-01-01")).toEqual([
      "2026-01-01T14:00:00Z",
      "2026-01-02T14:00:00Z",
    ]);
    expect(await preview("--rrule", json, "--start", "2026-01-02")).toMatchObject({
      code: 0,
      stderr: "No further date comes.\n",
    });
    expect(await preview("--rrule", rule, "--start", "2027-01-01")).toEqual({
      code: 0,
      stdout: "",
      stderr: "No date comes any more.\n",
    });
  });

  it("counts both day fields of a cron line where it is told so", async ({ expect }) => {
    const flags = ["--cron", "0 0 13 * fri", "--start", "2026-01-01T00:00:00Z", "--count", "2"];
    expect(await instants(...flags)).toEqual(["2026-01-02T00:00:00Z", "2026-01-09T00:00:00Z"]);
    expect(await instants(...flags, "--day-or", "false")).toEqual([
      "2026-02-13T00:00:00Z",
      "2026-03-13T00:00:00Z",
    ]);
    expect(await instants(...flags.slice(0, 4), "--count", "0")).toEqual([]);
    expect(await instants("--cron", "@hourly")).toHaveLength(10);
  });

  it.for([
    ["--cron", "61 * * * *", "minute: 61 is outside 0-59"],
    ["--interval", "soon", "PT1H30M"],
    ["--interval", "0", "more than 0 seconds"],
    ["--rrule", "FREQ=DAILY;INTERVAL=0", "INTERVAL=0"],
    ["--cron", "* * * * *", "--timezone", "europe/berlin", "did you mean Europe/Berlin?"],
    ["--interval", "60", "--anchor-date", "yesterday", "anchor_date is no date"],
  ])("an invalid schedule ends with 1: %o", async (words, { expect }) => {
    const result = await preview(...words.slice(0, -1));
    expect(result).toMatchObject({ code: 1, stdout: "" });
    expect(result.stderr).toContain(words.at(-1));
  });

  it.for([
    [[]],
    [["--cron", "* * * * *", "--interval", "5"]],
    [["--cron", "* * * * *", "--anchor-date", "2026-01-01"]],
    [["--interval", "5", "--day-or", "false"]],
    [["--cron", "* * * * *", "--day-or", "perhaps"]],
    [["--cron", "* * * * *", "--start", "whenever"]],
    [["--cron", "* * * * *", "--count", "-1"]],
    [["--cron", "*", "*", "*", "*", "*"]],
    [["--rrule", "{FREQ=DAILY}"]],
  ])("a wrong command line ends with 2: %o", async ([words = []], { expect }) => {
    expect(await preview(...words)).toMatchObject({ code: 2, stdout: "" });
  });
});
