import { findFlowRun, listFlowRuns } from "../../../api/manage/flow-runs.ts";
import { WorkerError } from "../../../errors.ts";
import { isPartOfId, isUuid, pickOne } from "../../identify.ts";

import type { Caller } from "../../../api/calls.ts";
import type { WithJson } from "../../../api/manage/resource.ts";
import type { FlowRun } from "../../../api/types.ts";

const NAMESAKES = 20;
/** A part of an id is looked for among this many of the latest runs. */
const LATEST = 1000;

/**
 * The run of an id, of a name that only one run has, or of the beginning or end of the id of one of the latest runs. Throws NOT_FOUND, or USAGE where
 * several would do.
 */
export async function getFlowRun(api: Caller, reference: string): Promise<WithJson<FlowRun>> {
  if (isUuid(reference)) {
    const run = await findFlowRun(api, reference);
    if (run !== null) return run;
  }
  const named = await listFlowRuns(api, { flow_runs: { name: { any_: [reference] } } }, NAMESAKES);
  const candidates =
    named.length > 0 || !/^[0-9a-f-]{4,}$/i.test(reference)
      ? named
      : (await listFlowRuns(api, {}, LATEST)).filter(({ id }) => isPartOfId(reference, id));
  if (candidates.length === 0) {
    throw new WorkerError("NOT_FOUND", `There is no flow run '${reference}'`, {
      hint: "`lighterman flow-run ls` lists the latest. Give an id, its beginning or end, or a name.",
    });
  }
  return pickOne(candidates, reference, {
    noun: "flow run",
    nameOf: ({ name }) => name,
    listedBy: "lighterman flow-run ls",
  });
}
