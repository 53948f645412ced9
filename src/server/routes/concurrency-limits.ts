import { randomUUID } from "node:crypto";

import { createLease, holdersOf, releaseLease, releaseLeasesOf, takeSlots } from "../concurrency/leases.ts";
import { pageOf } from "../filters/index.ts";
import { integerOf, objectBody, parseUuid, pathUuid, textOf, textsOf } from "../http/body.ts";
import { ApiError, invalidRequest, notFound } from "../http/errors.ts";
import { jsonValue } from "../http/reply.ts";
import { timestampOf } from "../store/timestamp.ts";

import type { FastifyInstance } from "fastify";

import type { JsonObject } from "../../json/value.ts";
import type { LimitRow } from "../concurrency/limits.ts";
import type { ServerContext } from "../context.ts";
import type { Reply } from "../http/reply.ts";
import type { Reader, Transaction } from "../store/database.ts";

const PREFIX = "tag:";

interface IdParams {
  readonly id: string;
}

interface TagParams {
  readonly tag: string;
}

/** Limits of task runs by tag: global limits named `tag:<tag>` in another form (prefect/server/api/concurrency_limits.py). */
export function addConcurrencyLimitRoutes(app: FastifyInstance, context: ServerContext): void {
  const { database, clock } = context;

  app.post("/concurrency_limits", async ({ body }, reply) => {
    const given = objectBody(body);
    const [tag, limit] = [textOf(given, "tag"), integerOf(given, "concurrency_limit")];
    if (tag === undefined || limit === undefined)
      throw invalidRequest(["body", tag === undefined ? "tag" : "concurrency_limit"], "Field required");
    if (limit < 0)
      throw invalidRequest(
        ["body", "concurrency_limit"],
        "Input should be greater than or equal to 0",
        limit,
      );
    const now = timestampOf(clock.now());
    const { row, isNew } = await database.write((tx) => {
      const changed = tx.run(
        'UPDATE concurrency_limit_v2 SET updated = ?, "limit" = ? WHERE name = ?',
        now,
        limit,
        PREFIX + tag,
      );
      if (changed === 0) {
        tx.run(
          'INSERT INTO concurrency_limit_v2 (id, created, updated, name, "limit") VALUES (?,?,?,?,?)',
          randomUUID(),
          now,
          now,
          PREFIX + tag,
          limit,
        );
      }
      return { row: getByTag(tx, tag), isNew: changed === 0 };
    });
    return reply.status(isNew ? 201 : 200).send(tagLimitReply(database, row));
  });

  app.get<{ Params: IdParams }>("/concurrency_limits/:id", ({ params }) =>
    tagLimitReply(database, getById(database, params.id)),
  );

  app.get<{ Params: TagParams }>("/concurrency_limits/tag/:tag", ({ params }) =>
    tagLimitReply(database, getByTag(database, params.tag)),
  );

  app.post("/concurrency_limits/filter", ({ body }) => {
    const { limit, offset } = pageOf(objectBody(body));
    return database
      .all<LimitRow>(
        "SELECT * FROM concurrency_limit_v2 WHERE substr(name, 1, 4) = ? ORDER BY name LIMIT ? OFFSET ?",
        PREFIX,
        limit,
        offset,
      )
      .map((row) => tagLimitReply(database, row));
  });

  app.delete<{ Params: IdParams }>("/concurrency_limits/:id", async ({ params }) => {
    await database.write((tx) => deleteLimit(tx, getById(tx, params.id)));
    return jsonValue(null);
  });

  app.delete<{ Params: TagParams }>("/concurrency_limits/tag/:tag", async ({ params }) => {
    await database.write((tx) => deleteLimit(tx, getByTag(tx, params.tag)));
    return jsonValue(null);
  });

  app.post<{ Params: TagParams }>("/concurrency_limits/tag/:tag/reset", async ({ params, body }) => {
    const ids = (textsOf(objectBody(body), "slot_override") ?? []).map((id) =>
      parseUuid(id, ["body", "slot_override"]),
    );
    await database.write((tx) => {
      const limit = getByTag(tx, params.tag);
      releaseLeasesOf(tx, limit.id);
      tx.run("UPDATE concurrency_limit_v2 SET active_slots = ? WHERE id = ?", ids.length, limit.id);
      for (const id of ids) hold(context, tx, [limit], id);
    });
    return jsonValue(null);
  });

  app.post("/concurrency_limits/increment", async ({ body }) => {
    const { tags, taskRunId } = taken(objectBody(body));
    return database.write((tx) => {
      const limits = tags.map((tag) => findByTag(tx, tag)).filter((limit) => limit !== undefined);
      const closed = limits.find(({ limit }) => limit === 0);
      if (closed !== undefined) {
        throw new ApiError(
          423,
          `The concurrency limit on tag "${tagOf(closed)}" is 0 and will deadlock if the task tries to run again.`,
        );
      }
      const active = limits.filter((limit) => limit.active === 1);
      for (const limit of active) {
        if (takeSlots(tx, limit.id, 1)) continue;
        const seconds = String(context.settings.tagConcurrencySlotWaitSeconds);
        const detail = `Concurrency limit for the ${tagOf(limit)} tag has been reached`;
        // What was taken before is undone with the transaction.
        throw new ApiError(423, { detail }, { "retry-after": seconds });
      }
      if (active.length > 0) hold(context, tx, active, taskRunId);
      return active.map((limit) => ({ id: limit.id, name: tagOf(limit), limit: limit.limit }));
    });
  });

  app.post("/concurrency_limits/decrement", async ({ body }) => {
    const { tags, taskRunId } = taken(objectBody(body));
    return database.write((tx) => {
      const limits = tags.map((tag) => findByTag(tx, tag)).filter((limit) => limit !== undefined);
      for (const { id } of limits) {
        for (const holder of holdersOf(tx, id)) if (holder.id === taskRunId) releaseLease(tx, holder.leaseId);
      }
      return limits.map(({ id, name, limit }) => ({ id, name, limit }));
    });
  });
}

function taken(body: JsonObject): { readonly tags: readonly string[]; readonly taskRunId: string } {
  const tags = textsOf(body, "names");
  if (tags === undefined) throw invalidRequest(["body", "names"], "Field required");
  return { tags, taskRunId: parseUuid(body["task_run_id"], ["body", "task_run_id"]) };
}

/** Whoever takes slots by this API cannot renew a lease. */
function hold(context: ServerContext, tx: Transaction, limits: readonly LimitRow[], taskRunId: string): void {
  const lease = {
    limitIds: limits.map(({ id }) => id),
    slots: 1,
    holder: { type: "task_run", id: taskRunId },
  };
  createLease(context, tx, lease, Infinity);
}

function deleteLimit(tx: Transaction, limit: LimitRow): void {
  releaseLeasesOf(tx, limit.id);
  tx.run("DELETE FROM concurrency_limit_v2 WHERE id = ?", limit.id);
}

function findByTag(reader: Reader, tag: string): LimitRow | undefined {
  return reader.get<LimitRow>("SELECT * FROM concurrency_limit_v2 WHERE name = ?", PREFIX + tag);
}

/** Throws a 404. */
function getByTag(reader: Reader, tag: string): LimitRow {
  const limit = findByTag(reader, tag);
  if (limit === undefined) throw notFound("Concurrency limit");
  return limit;
}

/** Throws a 404. */
function getById(reader: Reader, id: string): LimitRow {
  const limit = reader.get<LimitRow>("SELECT * FROM concurrency_limit_v2 WHERE id = ?", pathUuid(id));
  if (limit === undefined || !limit.name.startsWith(PREFIX)) throw notFound("Concurrency limit");
  return limit;
}

function tagOf({ name }: LimitRow): string {
  return name.slice(PREFIX.length);
}

function tagLimitReply(reader: Reader, row: LimitRow): Reply {
  return {
    id: row.id,
    created: row.created,
    updated: row.updated,
    tag: tagOf(row),
    concurrency_limit: row.limit,
    active_slots: holdersOf(reader, row.id)
      .filter(({ type }) => type === "task_run")
      .map(({ id }) => id),
  };
}
