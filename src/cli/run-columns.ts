import { textOf } from "../api/fields.ts";
import { idColumn } from "./table.ts";
import { relativeTime } from "./times.ts";
import { stateStyle } from "./text-style.ts";

import type { WithJson } from "../api/manage/resource.ts";
import type { FlowRun } from "../api/types.ts";
import type { Column } from "./table.ts";

type Run = WithJson<FlowRun>;

/** Flow runs as a table shows them; the time is that of the state, or for which the run is scheduled. */
export function runColumns(nowMs: number, flowNames: ReadonlyMap<string, string>): readonly Column<Run>[] {
  return [
    idColumn(),
    { title: "Flow", value: ({ flow_id: id }) => flowNames.get(id) ?? "?", style: "blue" },
    { title: "Name", value: ({ name }) => name },
    {
      title: "State",
      value: ({ state }) => state?.name ?? "",
      style: ({ state }) => stateStyle(state?.type ?? ""),
      weight: 0,
    },
    { title: "When", value: (run) => relativeTime(timeOf(run), nowMs), weight: 0 },
  ];
}

function timeOf({ state, next_scheduled_start_time: next, json }: Run): string | null {
  const scheduled = next ?? textOf(json, "expected_start_time");
  return state?.type === "SCHEDULED" ? scheduled : (state?.timestamp ?? scheduled);
}
