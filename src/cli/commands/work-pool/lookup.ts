import { findWorkPool, listWorkPools } from "../../../api/manage/work-pools.ts";
import { pickOne } from "../../identify.ts";

import type { Caller } from "../../../api/calls.ts";
import type { WithJson } from "../../../api/manage/resource.ts";
import type { WorkPool } from "../../../api/types.ts";

/** The pool of a name, an id or a part of an id. Throws NOT_FOUND with the nearest name. */
export async function getWorkPool(api: Caller, reference: string): Promise<WithJson<WorkPool>> {
  const named = await findWorkPool(api, reference);
  if (named !== null) return named;
  return pickOne(await listWorkPools(api), reference, {
    noun: "work pool",
    nameOf: ({ name }) => name,
    listedBy: "lighterman work-pool ls",
  });
}
