import { randomUUID } from "node:crypto";

import {
  booleanOf,
  integerOf,
  numberOf,
  objectBody,
  objectOf,
  parseUuid,
  pathUuid,
  requiredBody,
  requiredPlainName,
  textOf,
  textsOf,
  wordOf,
} from "../http/body.ts";
import { ApiError, invalidRequest } from "../http/errors.ts";
import { createLease, releaseLease, renewLease, returnSlots, takeSlots } from "../concurrency/leases.ts";
import { limitReply } from "../concurrency/limits.ts";
import { pageOf } from "../filters/index.ts";
import { addSeconds, epochMsOf, timestampOf } from "../store/timestamp.ts";

import type { FastifyInstance } from "fastify";

import type { JsonObject } from "../../json/value.ts";
import type { LeaseHolder } from "../concurrency/leases.ts";
import type { LimitRow } from "../concurrency/limits.ts";
import type { ServerContext } from "../context.ts";
import type { Reader, Transaction } from "../store/database.ts";

interface Params {
  readonly key: string;
}

const DEFAULT_LEASE_SECONDS = 300;
const SHORTEST_WAIT_SECONDS = 1;

/** Global concurrency limits and their leases (prefect/server/api/concurrency_limits_v2.py). */
export function addConcurrencyLimitV2Routes(app: FastifyInstance, context: ServerContext): void {
  const { database, clock } = context;
  const now = (): string => timestampOf(clock.now());

  app.post("/v2/concurrency_limits", async ({ body }, reply) => {
    const given = requiredBody(body);
    const name = requiredPlainName(given);
    const limit = integerOf(given, "limit", { min: 0 });
    if (limit === undefined) throw invalidRequest(["body", "limit"], "Field required");
    const [active, denied, decayRate] = [
      integerOf(given, "active_slots", { min: 0 }) ?? 0,
      integerOf(given, "denied_slots", { min: 0 }) ?? 0,
      numberOf(given, "slot_decay_per_second", { min: 0 }) ?? 0,
    ];
    const isActive = booleanOf(given, "active") !== false;
    const row = await database.write((tx) => {
      tx.run(
        'INSERT INTO concurrency_limit_v2 (id, created, updated, name, active, "limit", active_slots, denied_slots, slot_decay_per_second) VALUES (?,?,?,?,?,?,?,?,?)',
        randomUUID(),
        now(),
        now(),
        name,
        Number(isActive),
        limit,
        active,
        denied,
        decayRate,
      );
      return findLimit(tx, name);
    });
    const { denied_slots, avg_slot_occupancy_seconds } = row;
    return reply.status(201).send({ ...limitReply(row), denied_slots, avg_slot_occupancy_seconds });
  });

  app.get<{ Params: Params }>("/v2/concurrency_limits/:key", ({ params }) =>
    limitReply(findLimit(database, params.key)),
  );

  app.patch<{ Params: Params }>("/v2/concurrency_limits/:key", async ({ params, body }, reply) => {
    const given = requiredBody(body);
    const change = {
      name: textOf(given, "name"),
      limit: integerOf(given, "limit", { min: 0 }),
      active: booleanOf(given, "active"),
      activeSlots: integerOf(given, "active_slots", { min: 0 }),
      decay: numberOf(given, "slot_decay_per_second", { min: 0 }),
    };
    await database.write((tx) => {
      const row = findLimit(tx, params.key);
      tx.run(
        'UPDATE concurrency_limit_v2 SET updated = ?, name = ?, "limit" = ?, active = ?, active_slots = ?, slot_decay_per_second = ? WHERE id = ?',
        now(),
        change.name ?? row.name,
        change.limit ?? row.limit,
        change.active === undefined ? row.active : Number(change.active),
        change.activeSlots ?? row.active_slots,
        change.decay ?? row.slot_decay_per_second,
        row.id,
      );
    });
    return reply.status(204).send();
  });

  app.delete<{ Params: Params }>("/v2/concurrency_limits/:key", async ({ params }, reply) => {
    await database.write((tx) =>
      tx.run("DELETE FROM concurrency_limit_v2 WHERE id = ?", findLimit(tx, params.key).id),
    );
    return reply.status(204).send();
  });

  app.post("/v2/concurrency_limits/filter", ({ body }) => {
    const { limit, offset } = pageOf(objectBody(body));
    return database
      .all<LimitRow>("SELECT * FROM concurrency_limit_v2 ORDER BY name LIMIT ? OFFSET ?", limit, offset)
      .map((row) => limitReply(row));
  });

  async function increment(
    body: JsonObject,
    withLease: boolean,
  ): Promise<{ leaseId: string | null; limits: LimitRow[] }> {
    const { slots, names } = slotsOf(body);
    const isRate = wordOf(body, "mode", ["concurrency", "rate_limit"]) === "rate_limit";
    const seconds = leaseSecondsOf(body);
    const outcome = await database.write((tx) => {
      const limits = names.map((name) => activeLimit(tx, name)).filter((row) => row !== undefined);
      for (const limit of limits) decay(tx, limit, now());
      if (limits.some(({ limit }) => limit < slots))
        throw new ApiError(422, "Slots requested is greater than the limit");
      const steady = limits.filter((row) => row.slot_decay_per_second === 0);
      if (isRate && steady.length > 0) {
        const shown = steady.map(({ name }) => name).join(",");
        throw new ApiError(
          422,
          `Only concurrency limits with slot decay can be used for rate limiting. The following limits do not have a decay configured: '${shown}'`,
        );
      }
      const taken: LimitRow[] = [];
      for (const limit of limits) {
        if (takeSlots(tx, limit.id, slots)) {
          taken.push(limit);
          continue;
        }
        for (const { id } of taken) returnSlots(tx, id, slots);
        return { full: limit };
      }
      const lease = { limitIds: taken.map(({ id }) => id), slots, holder: holderOf(body) };
      const leaseId = withLease ? createLease(context, tx, lease, seconds) : null;
      return { leaseId, limits: taken };
    });
    if (!("full" in outcome)) return outcome;
    const { full } = outcome;
    const wait =
      full.slot_decay_per_second > 0
        ? Math.ceil(slots / full.slot_decay_per_second)
        : Math.ceil(full.avg_slot_occupancy_seconds / 2);
    throw new LockedError(Math.max(SHORTEST_WAIT_SECONDS, wait));
  }

  app.post("/v2/concurrency_limits/increment", async ({ body }) => {
    const { limits } = await increment(objectBody(body), false);
    return limits.map((row) => minimal(row));
  });

  app.post("/v2/concurrency_limits/increment-with-lease", async ({ body }) => {
    const { leaseId, limits } = await increment(objectBody(body), true);
    return { lease_id: leaseId, limits: limits.map((row) => minimal(row)) };
  });

  app.post("/v2/concurrency_limits/decrement", async ({ body }) => {
    const { slots, names } = slotsOf(objectBody(body));
    return database.write((tx) => {
      const limits = names.map((name) => activeLimit(tx, name)).filter((row) => row !== undefined);
      for (const { id } of limits) returnSlots(tx, id, slots);
      return limits.map((row) => minimal(row));
    });
  });

  app.post("/v2/concurrency_limits/decrement-with-lease", async ({ body }, reply) => {
    const leaseId = parseUuid(objectBody(body)["lease_id"], ["body", "lease_id"]);
    await database.write((tx) => releaseLease(tx, leaseId));
    return reply.status(204).send();
  });

  app.post<{ Params: Params }>(
    "/v2/concurrency_limits/leases/:key/renew",
    async ({ params, body }, reply) => {
      const seconds = leaseSecondsOf(objectBody(body));
      const isThere = await database.write((tx) => renewLease(context, tx, pathUuid(params.key), seconds));
      if (!isThere) throw new ApiError(410, "Lease not found - it may have expired or been revoked");
      return reply.status(204).send();
    },
  );
}

/** 423: no slot is free; the client waits for so long. */
class LockedError extends ApiError {
  constructor(seconds: number) {
    super(423, { detail: "Locked" }, { "retry-after": String(seconds) });
  }
}

const HOLDERS = ["flow_run", "task_run", "deployment"];

function holderOf(body: JsonObject): LeaseHolder | null {
  const holder = objectOf(body, "holder");
  if (holder === undefined) return null;
  const { type } = holder;
  if (typeof type !== "string" || !HOLDERS.includes(type)) {
    const message = "Input should be 'flow_run', 'task_run' or 'deployment'";
    throw invalidRequest(["body", "holder", "type"], message, type ?? null);
  }
  return { type, id: parseUuid(holder["id"], ["body", "holder", "id"]) };
}

const MIN_LEASE_SECONDS = 60;
const MAX_LEASE_SECONDS = 86_400;

function leaseSecondsOf(body: JsonObject): number {
  const bounds = { min: MIN_LEASE_SECONDS, max: MAX_LEASE_SECONDS };
  return numberOf(body, "lease_duration", bounds) ?? DEFAULT_LEASE_SECONDS;
}

/** How many slots of which limits a request is about. */
function slotsOf(body: JsonObject): { readonly slots: number; readonly names: readonly string[] } {
  const slots = integerOf(body, "slots", { min: 1 });
  const names = textsOf(body, "names");
  if (slots === undefined || names === undefined)
    throw invalidRequest(["body", slots === undefined ? "slots" : "names"], "Field required");
  return { slots, names };
}

function findLimit(reader: Reader, key: string): LimitRow {
  const row = reader.get<LimitRow>("SELECT * FROM concurrency_limit_v2 WHERE id = ? OR name = ?", key, key);
  if (row === undefined) throw new ApiError(404, "Concurrency Limit not found");
  return row;
}

/** Limits that are unknown or not active hold nobody up. */
function activeLimit(reader: Reader, name: string): LimitRow | undefined {
  return reader.get<LimitRow>("SELECT * FROM concurrency_limit_v2 WHERE name = ? AND active = 1", name);
}

/** Slots of a limit with decay come back by themselves, so many a second. */
function decay(tx: Transaction, limit: LimitRow, now: string): void {
  if (limit.slot_decay_per_second === 0) return;
  const seconds = (epochMsOf(now) - epochMsOf(limit.decayed_at ?? limit.updated)) / 1000;
  const freed = Math.floor(seconds * limit.slot_decay_per_second);
  if (freed === 0 && limit.decayed_at !== null) return;
  // Parts of a slot count next time.
  const since = addSeconds(limit.decayed_at ?? limit.updated, freed / limit.slot_decay_per_second);
  tx.run(
    "UPDATE concurrency_limit_v2 SET active_slots = max(0, active_slots - ?), decayed_at = ? WHERE id = ?",
    freed,
    since,
    limit.id,
  );
}

function minimal({ id, name, limit }: LimitRow): { id: string; name: string; limit: number } {
  return { id, name, limit };
}
