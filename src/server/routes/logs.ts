import { randomUUID } from "node:crypto";

import { pageOf } from "../filters/index.ts";
import {
  integerOf,
  listBody,
  objectBody,
  parseObject,
  requiredText,
  timeOf,
  uuidOf,
  wordOf,
} from "../http/body.ts";
import { invalidRequest } from "../http/errors.ts";
import { jsonValue } from "../http/reply.ts";
import { logCondition, readLogs } from "../logs/read.ts";
import { timestampOf } from "../store/timestamp.ts";

import type { FastifyInstance } from "fastify";

import type { Json } from "../../json/value.ts";
import type { ServerContext, StoredLog } from "../context.ts";
import type { Location } from "../http/body.ts";

/** Log lines of runs (prefect/server/api/logs.py; protocol §2.6). */
export function addLogRoutes(app: FastifyInstance, { database, clock, logs }: ServerContext): void {
  app.post("/logs", async ({ body }, reply) => {
    const now = timestampOf(clock.now());
    const lines = listBody(body).map((line, index) => storedLog(line, ["body", index], now));
    await database.write((tx) => {
      for (const line of lines) {
        tx.run(
          "INSERT INTO log (id, created, name, level, flow_run_id, task_run_id, message, timestamp) VALUES (?,?,?,?,?,?,?,?)",
          line.id,
          now,
          line.name,
          line.level,
          line.flow_run_id,
          line.task_run_id,
          line.message,
          line.timestamp,
        );
      }
      tx.afterCommit(() => logs.publish(lines));
    });
    return reply.status(201).send(jsonValue(null));
  });

  app.post("/logs/filter", ({ body }) => {
    const given = objectBody(body);
    const { limit, offset } = pageOf(given);
    const order =
      wordOf(given, "sort", ["TIMESTAMP_ASC", "TIMESTAMP_DESC"]) === "TIMESTAMP_DESC" ? "DESC" : "ASC";
    return readLogs(database, logCondition(given["logs"]), { order, limit, offset }).map((line) => ({
      ...line,
    }));
  });
}

function storedLog(value: Json, location: Location, now: string): StoredLog {
  const line = parseObject(value, location);
  const name = requiredText(line, "name", location);
  const level = integerOf(line, "level", { within: location });
  const message = requiredText(line, "message", location);
  const timestamp = timeOf(line, "timestamp", location);
  if (level === undefined || timestamp === undefined) {
    throw invalidRequest([...location, level === undefined ? "level" : "timestamp"], "Field required", line);
  }
  return {
    id: randomUUID(),
    created: now,
    updated: now,
    name,
    level,
    message,
    timestamp,
    flow_run_id: uuidOf(line, "flow_run_id", location) ?? null,
    task_run_id: uuidOf(line, "task_run_id", location) ?? null,
  };
}
