import { isJsonObject } from "../../json/value.ts";
import { integerOf, objectOf, textOf, textsOf } from "../http/body.ts";
import { messageOf, sendText } from "../http/web-sockets.ts";
import { parseTimestamp } from "../store/timestamp.ts";

import type { WebSocket } from "ws";

import type { JsonObject } from "../../json/value.ts";
import type { ServerContext, StoredLog } from "../context.ts";

type LogPredicate = (line: StoredLog) => boolean;

const PROTOCOL_ERROR = 1002;

/** `/logs/out`: the new lines that a filter asks for; what was before is for `/logs/filter` (prefect/server/api/logs.py). */
export function serveLogsOut(socket: WebSocket, { logs }: ServerContext): void {
  socket.once("message", (data) => {
    const message = messageOf(data);
    const filter = message?.["filter"];
    let matches: LogPredicate;
    try {
      if (message?.["type"] !== "filter" || !isJsonObject(filter)) throw new TypeError("no filter");
      matches = logPredicate(filter);
    } catch {
      socket.close(PROTOCOL_ERROR, "Expected 'filter' message");
      return;
    }
    const unsubscribe = logs.subscribe((lines) => {
      for (const line of lines) {
        // In a stream a line has no times of its record, as it may come before its record.
        const log = { ...line, created: null, updated: null };
        if (matches(line)) sendText(socket, JSON.stringify({ type: "log", log }));
      }
    });
    socket.once("close", unsubscribe);
  });
}

function logPredicate(filter: JsonObject): LogPredicate {
  const flowRuns = textsOf(objectOf(filter, "flow_run_id") ?? {}, "any_");
  const taskRuns = textsOf(objectOf(filter, "task_run_id") ?? {}, "any_");
  const level = objectOf(filter, "level") ?? {};
  const [lowest, highest] = [integerOf(level, "ge_") ?? -Infinity, integerOf(level, "le_") ?? Infinity];
  const timestamp = objectOf(filter, "timestamp") ?? {};
  const [after, before] = [textOf(timestamp, "after_"), textOf(timestamp, "before_")];
  const [from, to] = [
    after === undefined ? "" : parseTimestamp(after),
    before === undefined ? "9999" : parseTimestamp(before),
  ];
  return (line) =>
    (flowRuns === undefined || flowRuns.includes(line.flow_run_id ?? "")) &&
    (taskRuns === undefined || taskRuns.includes(line.task_run_id ?? "")) &&
    line.level >= lowest &&
    line.level <= highest &&
    line.timestamp >= from &&
    line.timestamp <= to;
}
