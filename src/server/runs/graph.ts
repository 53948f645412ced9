import { isJsonObject } from "../../json/value.ts";
import { ApiError } from "../http/errors.ts";
import { jsonText } from "../http/reply.ts";
import { objectColumn } from "../store/json-column.ts";
import { STATE_COLUMNS, joinedStateReply } from "./state.ts";

import type { Json } from "../../json/value.ts";
import type { Reply } from "../http/reply.ts";
import type { Reader } from "../store/database.ts";
import type { JoinedState, StateRow } from "./state.ts";

const MAX_NODES = 10_000;
const MAX_ARTIFACTS = 10_000;

interface NodeRow {
  readonly kind: "flow-run" | "task-run";
  readonly id: string;
  readonly label: string;
  readonly state_type: string;
  readonly start_time: string;
  readonly end_time: string | null;
  readonly task_inputs: string;
}

interface ArtifactRow {
  readonly id: string;
  readonly created: string;
  readonly key: string | null;
  readonly type: string | null;
  readonly data: string | null;
  readonly task_run_id: string | null;
  readonly is_latest: number;
}

interface TaskRow extends JoinedState {
  readonly id: string;
  readonly name: string;
  readonly task_inputs: string;
  readonly expected_start_time: string | null;
  readonly start_time: string | null;
  readonly end_time: string | null;
  readonly total_run_time: number;
}

/**
 * The tasks and subflows of a run with what each waited for, its artifacts and states: what Prefect's run page draws
 * (GraphV2; prefect/server/database/query_components.py). `since` leaves out what ended before. Throws a 404 for an unknown run, a
 * 400 when there are too many nodes.
 */
export function runGraph(reader: Reader, flowRunId: string, since: string): Reply {
  const run = reader.get<{ start: string | null; end: string | null }>(
    'SELECT coalesce(start_time, expected_start_time) AS start, end_time AS "end" FROM flow_run WHERE id = ?',
    flowRunId,
  );
  if (run === undefined) throw new ApiError(404, { exception_message: `Flow run ${flowRunId} not found` });
  const rows = reader.all<NodeRow>(
    `SELECT CASE WHEN sub.id IS NULL THEN 'task-run' ELSE 'flow-run' END AS kind, coalesce(sub.id, t.id) AS id,
       coalesce(flow.name || ' / ' || sub.name, t.name) AS label, coalesce(sub.state_type, t.state_type) AS state_type,
       coalesce(sub.start_time, sub.expected_start_time, t.start_time, t.expected_start_time) AS start_time,
       coalesce(sub.end_time, t.end_time, CASE WHEN t.state_type = 'COMPLETED' THEN t.expected_start_time END) AS end_time, t.task_inputs
     FROM task_run t LEFT JOIN flow_run sub ON sub.parent_task_run_id = t.id LEFT JOIN flow ON flow.id = sub.flow_id
     WHERE t.flow_run_id = ? AND coalesce(sub.start_time, sub.expected_start_time, t.start_time, t.expected_start_time) IS NOT NULL
     ORDER BY 5, 6, t.seq LIMIT ?`,
    flowRunId,
    MAX_NODES + 1,
  );
  if (rows.length > MAX_NODES) {
    throw new ApiError(400, `The graph of flow run ${flowRunId} has more than ${MAX_NODES} nodes.`);
  }
  const edges = edgesOf(rows);
  const artifacts = artifactsOf(reader, flowRunId);
  const shown = rows.filter(({ end_time: end }) => end === null || end >= since);
  return {
    start_time: run.start,
    end_time: run.end,
    root_node_ids: shown.filter(({ id }) => edges.parents(id).length === 0).map(({ id }) => id),
    nodes: shown.map(({ task_inputs: _inputs, ...node }) => [
      node.id,
      {
        ...node,
        parents: edges.parents(node.id),
        children: edges.children(node.id),
        encapsulating: edges.encapsulating(node.id),
        artifacts: artifacts.get(node.id) ?? [],
      },
    ]),
    artifacts: artifacts.get(null) ?? [],
    states: reader
      .all<StateRow>("SELECT * FROM flow_run_state WHERE flow_run_id = ? ORDER BY timestamp, seq", flowRunId)
      .map(({ id, timestamp, type, name }) => ({ id, timestamp, type, name })),
  };
}

/** The task runs of a run with the inputs that each waited for (the first version of the graph). Throws a 404. */
export function runDependencies(reader: Reader, flowRunId: string): Reply {
  if (reader.get("SELECT 1 FROM flow_run WHERE id = ?", flowRunId) === undefined) {
    throw new ApiError(404, { exception_message: `Flow run with id ${flowRunId} not found` });
  }
  return reader
    .all<TaskRow>(
      `SELECT t.*, ${STATE_COLUMNS} FROM task_run t LEFT JOIN task_run_state s ON s.id = t.state_id WHERE t.flow_run_id = ? ORDER BY t.id DESC`,
      flowRunId,
    )
    .map((row) => ({
      id: row.id,
      name: row.name,
      upstream_dependencies: Object.values(objectColumn(row.task_inputs)).flatMap((inputs) =>
        Array.isArray(inputs) ? (inputs as readonly Json[]) : [],
      ),
      state: joinedStateReply(row),
      expected_start_time: row.expected_start_time,
      start_time: row.start_time,
      end_time: row.end_time,
      total_run_time: row.total_run_time,
      estimated_run_time: row.total_run_time,
      untrackable_result: row.s_id !== null && objectColumn(row.s_details)["untrackable_result"] === true,
    }));
}

interface Edges {
  readonly parents: (id: string) => Reply[];
  readonly children: (id: string) => Reply[];
  readonly encapsulating: (id: string) => Reply[];
}

/** Who waited for whom, by the inputs of the tasks; `__parents__` are tasks within which a task was called. */
function edgesOf(rows: readonly NodeRow[]): Edges {
  const known = new Set(rows.map(({ id }) => id));
  const [parents, children, encapsulating] = [new EdgeSet(), new EdgeSet(), new EdgeSet()];
  for (const { id, task_inputs: text } of rows) {
    for (const [name, inputs] of Object.entries(objectColumn(text))) {
      if (!Array.isArray(inputs)) continue;
      for (const input of inputs as readonly Json[]) {
        const other = isJsonObject(input) ? input["id"] : undefined;
        if (typeof other !== "string" || !known.has(other)) continue;
        if (name === "__parents__") {
          encapsulating.add(id, other);
        } else {
          parents.add(id, other);
          children.add(other, id);
        }
      }
    }
  }
  return {
    parents: (id) => parents.of(id),
    children: (id) => children.of(id),
    encapsulating: (id) => encapsulating.of(id),
  };
}

class EdgeSet {
  readonly #ends = new Map<string, Set<string>>();

  add(from: string, to: string): void {
    const ends = this.#ends.get(from);
    if (ends === undefined) this.#ends.set(from, new Set([to]));
    else ends.add(to);
  }

  of(id: string): Reply[] {
    return [...(this.#ends.get(id) ?? [])].map((end) => ({ id: end }));
  }
}

/** The artifacts of a run by the task that made them; data only of those that show progress. */
function artifactsOf(reader: Reader, flowRunId: string): ReadonlyMap<string | null, Reply[]> {
  const rows = reader.all<ArtifactRow>(
    `SELECT id, created, key, type, data, task_run_id,
       key IS NULL OR seq = (SELECT max(seq) FROM artifact other WHERE other.key = artifact.key) AS is_latest
     FROM artifact WHERE flow_run_id = ? AND type <> 'result' ORDER BY created, seq LIMIT ?`,
    flowRunId,
    MAX_ARTIFACTS,
  );
  const found = new Map<string | null, Reply[]>();
  for (const { data, task_run_id: task, is_latest: isLatest, ...row } of rows) {
    const artifact = {
      ...row,
      is_latest: isLatest === 1,
      data: row.type === "progress" ? jsonText(data) : null,
    };
    const others = found.get(task);
    if (others === undefined) found.set(task, [artifact]);
    else others.push(artifact);
  }
  return found;
}
