import { Readable } from "node:stream";

import { condition } from "../filters/conditions.ts";
import { readLogs } from "./read.ts";

import type { StoredLog } from "../context.ts";
import type { Reader } from "../store/database.ts";

const PAGE = 1000;

/** A run's log as a table, page by page. */
export function logsAsCsv(reader: Reader, flowRunId: string): Readable {
  return Readable.from(lines(reader, flowRunId));
}

function* lines(reader: Reader, flowRunId: string): Generator<string> {
  yield csvLine(["timestamp", "level", "flow_run_id", "task_run_id", "message"]);
  for (let offset = 0; ; offset += PAGE) {
    const page = readLogs(reader, condition("flow_run_id = ?", flowRunId), {
      order: "ASC",
      limit: PAGE,
      offset,
    });
    if (page.length === 0) return;
    yield page.map((log) => csvLine(fieldsOf(log))).join("");
  }
}

function fieldsOf(log: StoredLog): readonly string[] {
  return [
    pythonTime(log.timestamp),
    String(log.level),
    log.flow_run_id ?? "",
    log.task_run_id ?? "",
    log.message,
  ];
}

/** As Python prints a time: `2026-01-02 03:04:05.678900+00:00`, without a fraction of zero. */
function pythonTime(timestamp: string): string {
  return `${timestamp.slice(0, 10)} ${timestamp.slice(11, -1).replace(/\.000000$/, "")}+00:00`;
}

function csvLine(fields: readonly string[]): string {
  return `${fields.map((field) => (/[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field)).join(",")}\r\n`;
}
