import { expect, test } from "vitest";

import { scheduleText } from "./schedule-text.ts";

import type { Schedule } from "../api/types.ts";

const CASES: readonly (readonly [Schedule, string])[] = [
  [{ interval: 900 }, "every 15 minutes"],
  [{ interval: 3600, timezone: "UTC" }, "every hour"],
  [{ interval: 90 }, "every 90 seconds"],
  [{ interval: 0.5 }, "every 0.5 seconds"],
  [{ interval: 1_209_600 }, "every 2 weeks"],
  [{ cron: "* * * * *" }, "every minute"],
  [{ cron: "*/15 * * * *" }, "every 15 minutes"],
  [{ cron: "*/7 * * * *" }, "cron */7 * * * *"],
  [{ cron: "5 * * * *" }, "every hour at :05"],
  [{ cron: "0 9 * * *", timezone: "Europe/Berlin" }, "every day at 09:00 (Europe/Berlin)"],
  [{ cron: "30 7 * * 1-5" }, "Monday to Friday at 07:30"],
  [{ cron: "0 0 * * 7" }, "Sundays at 00:00"],
  [{ cron: "0 6 1 * *" }, "on day 1 of the month at 06:00"],
  [{ cron: "0 6 1 * 5" }, "cron 0 6 1 * 5"],
  [{ cron: "@daily" }, "cron @daily"],
  [{ rrule: "DTSTART:20260101T000000\nRRULE:FREQ=DAILY" }, "rule DTSTART:20260101T000000 RRULE:FREQ=DAILY"],
  [{}, "unknown schedule"],
];

test.for(CASES)("scheduleText of %j", ([schedule, text]) => {
  expect(scheduleText(schedule)).toBe(text);
});
