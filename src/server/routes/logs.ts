import { randomUUID } from "node:crypto";

import { isJsonObject } from "../../json/value.ts";
import { pageOf } from "../filters/index.ts";
import { integerOf, objectBody, textOf } from "../http/body.ts";
import { invalidRequest } from "../http/errors.ts";
import { jsonValue } from "../http/reply.ts";
import { logCondition, readLogs } from "../logs/read.ts";
import { parseTimestamp, timestampOf } from "../store/timestamp.ts";

import type { FastifyInstance } from "fastify";

import type { Json } from "../../json/value.ts";
import type { ServerContext, StoredLog } from "../context.ts";

/** Log lines of runs (prefect/server/api/logs.py; protocol §2.6). */
export function addLogRoutes(app: FastifyInstance, { database, clock, logs }: ServerContext): void {
  app.post("/logs", async ({ body }, reply) => {
    if (!Array.isArray(body)) throw invalidRequest(["body"], "Input should be a valid list");
    const now = timestampOf(clock.now());
    const lines = (body as readonly Json[]).map((line) => storedLog(line, now));
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
    const order = given["sort"] === "TIMESTAMP_DESC" ? "DESC" : "ASC";
    return readLogs(database, logCondition(given["logs"]), { order, limit, offset }).map((line) => ({
      ...line,
    }));
  });
}

function storedLog(line: Json, now: string): StoredLog {
  if (!isJsonObject(line)) throw invalidRequest(["body"], "Input should be a valid dictionary", line);
  const message = textOf(line, "message");
  if (message === undefined) throw invalidRequest(["body", "message"], "Field required");
  const timestamp = textOf(line, "timestamp");
  return {
    id: randomUUID(),
    created: now,
    updated: now,
    name: textOf(line, "name") ?? "",
    level: integerOf(line, "level") ?? 0,
    message,
    timestamp: timestamp === undefined ? now : parseTimestamp(timestamp),
    flow_run_id: textOf(line, "flow_run_id") ?? null,
    task_run_id: textOf(line, "task_run_id") ?? null,
  };
}
