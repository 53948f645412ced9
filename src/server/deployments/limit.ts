import { randomUUID } from "node:crypto";

import { integerOf, parseUuid } from "../http/body.ts";
import { ApiError } from "../http/errors.ts";
import { timestampOf } from "../store/timestamp.ts";

import type { JsonObject } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { LimitRow } from "../concurrency/limits.ts";
import type { Transaction } from "../store/database.ts";

interface Limited {
  readonly id: string;
  readonly concurrency_limit_id: string | null;
}

/**
 * The concurrency limit that a deployment has after a request: one of its own (`concurrency_limit`, named `deployment:<id>`), one
 * that it shares (`global_concurrency_limit_id`), or none. Undefined when the request says nothing. A limit that is shared is never
 * changed or deleted on the way. Throws a 404 for an unknown limit.
 */
export function limitAfter(
  context: ServerContext,
  tx: Transaction,
  deployment: Limited,
  body: JsonObject,
): string | null | undefined {
  const { global_concurrency_limit_id: shared, concurrency_limit: own } = body;
  if (shared !== undefined && shared !== null) {
    const id = parseUuid(shared, ["body", "global_concurrency_limit_id"]);
    if (tx.get("SELECT 1 FROM concurrency_limit_v2 WHERE id = ?", id) === undefined)
      throw new ApiError(404, "Concurrency limit not found");
    if (id !== deployment.concurrency_limit_id) deleteOwnLimit(tx, deployment);
    return id;
  }
  if (own === undefined && shared === undefined) return undefined;
  const limit = integerOf(body, "concurrency_limit");
  if (limit === undefined) {
    deleteOwnLimit(tx, deployment);
    return null;
  }
  return setOwnLimit(context, tx, deployment, limit);
}

function setOwnLimit(context: ServerContext, tx: Transaction, deployment: Limited, limit: number): string {
  const now = timestampOf(context.clock.now());
  const known = ownLimit(tx, deployment);
  if (known !== undefined) {
    tx.run(
      'UPDATE concurrency_limit_v2 SET "limit" = ?, updated = ? WHERE id = ? AND "limit" <> ?',
      limit,
      now,
      known.id,
      limit,
    );
    return known.id;
  }
  const id = randomUUID();
  tx.run(
    'INSERT INTO concurrency_limit_v2 (id, created, updated, name, "limit") VALUES (?,?,?,?,?)',
    id,
    now,
    now,
    nameOf(deployment),
    limit,
  );
  return id;
}

/** Deletes the limit that only this deployment has, should it have one. */
export function deleteOwnLimit(tx: Transaction, deployment: Limited): void {
  const own = ownLimit(tx, deployment);
  if (own !== undefined) tx.run("DELETE FROM concurrency_limit_v2 WHERE id = ?", own.id);
}

function ownLimit(tx: Transaction, deployment: Limited): LimitRow | undefined {
  return tx.get<LimitRow>("SELECT * FROM concurrency_limit_v2 WHERE name = ?", nameOf(deployment));
}

function nameOf({ id }: Limited): string {
  return `deployment:${id}`;
}
