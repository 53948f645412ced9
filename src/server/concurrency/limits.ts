import type { Reply } from "../http/reply.ts";

/** A row of concurrency_limit_v2. */
export interface LimitRow {
  readonly id: string;
  readonly created: string;
  readonly updated: string;
  readonly name: string;
  readonly active: number;
  readonly limit: number;
  readonly active_slots: number;
  readonly denied_slots: number;
  readonly slot_decay_per_second: number;
  readonly avg_slot_occupancy_seconds: number;
  readonly decayed_at: string | null;
}

/** A limit as it goes out, alone and with its deployment. */
export function limitReply(row: LimitRow): { readonly [key: string]: Reply } {
  return {
    id: row.id,
    created: row.created,
    updated: row.updated,
    active: row.active === 1,
    name: row.name,
    limit: row.limit,
    active_slots: row.active_slots,
    slot_decay_per_second: row.slot_decay_per_second,
  };
}
