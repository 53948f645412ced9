import { part } from "../calls.ts";
import { decodeDeployment, decodeFlow, decodeFlowRun } from "../decode.ts";
import { flagOf, mapOf, objectIn, requiredText } from "../fields.ts";
import { filterAll, withJson } from "./resource.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { Caller } from "../calls.ts";
import type { Deployment, Flow, FlowRun } from "../types.ts";
import type { WithJson } from "./resource.ts";

/** A deployment as people see it: with the name of its flow. */
export interface NamedDeployment extends WithJson<Deployment> {
  readonly flow_name: string;
}

export interface DeploymentSchedule {
  readonly id: string;
  readonly active: boolean;
  /** `{"cron": …}`, `{"interval": …}` or `{"rrule": …}`. */
  readonly schedule: JsonObject;
}

const decode = withJson(decodeDeployment);
const decodeSchedule = withJson((value: Json): DeploymentSchedule => {
  const object = objectIn(value, "schedule");
  return {
    id: requiredText(object, "id"),
    active: flagOf(object, "active"),
    schedule: mapOf(object, "schedule"),
  };
});

/** The deployments of all flows, or of those with the given names. */
export async function listDeployments(
  api: Caller,
  flowNames: readonly string[] = [],
): Promise<NamedDeployment[]> {
  const filter = flowNames.length === 0 ? {} : { flows: { name: { any_: flowNames } } };
  const deployments = await filterAll(api, "/deployments/filter", filter, decode);
  const names = await readFlowNames(api, deployments);
  return deployments.map((deployment) => ({
    ...deployment,
    flow_name: names.get(deployment.flow_id) ?? "?",
  }));
}

/** Null when there is none of that name. */
export async function findDeploymentByName(
  api: Caller,
  flowName: string,
  name: string,
): Promise<NamedDeployment | null> {
  const path = `/deployments/name/${part(flowName)}/${part(name)}`;
  const found = await api.find({ method: "GET", path }, decode);
  return found === null ? null : { ...found, flow_name: flowName };
}

/** Null when there is none with that id. */
export async function findDeployment(api: Caller, id: string): Promise<NamedDeployment | null> {
  const found = await api.find({ method: "GET", path: `/deployments/${part(id)}` }, decode);
  if (found === null) return null;
  const names = await readFlowNames(api, [found]);
  return { ...found, flow_name: names.get(found.flow_id) ?? "?" };
}

/** Creates a run; `body` as in `POST /deployments/{id}/create_flow_run`. */
export function createFlowRun(api: Caller, id: string, body: JsonObject): Promise<WithJson<FlowRun>> {
  return api.read(
    { method: "POST", path: `/deployments/${part(id)}/create_flow_run`, body },
    withJson(decodeFlowRun),
  );
}

/** Pausing keeps the schedules, but no runs are made from them. False when the deployment is gone. */
export function pauseDeployment(api: Caller, id: string, isPaused: boolean): Promise<boolean> {
  const action = isPaused ? "pause_deployment" : "resume_deployment";
  return api.tell({ method: "POST", path: `/deployments/${part(id)}/${action}`, body: {}, accept: [404] });
}

/** False when it was gone already. */
export function deleteDeployment(api: Caller, id: string): Promise<boolean> {
  return api.tell({ method: "DELETE", path: `/deployments/${part(id)}`, accept: [404] });
}

export function listSchedules(api: Caller, id: string): Promise<WithJson<DeploymentSchedule>[]> {
  return api.list({ method: "GET", path: schedulesOf(id) }, decodeSchedule);
}

export function createSchedule(
  api: Caller,
  id: string,
  schedule: JsonObject,
  isActive: boolean,
): Promise<WithJson<DeploymentSchedule>[]> {
  return api.list(
    { method: "POST", path: schedulesOf(id), body: [{ schedule, active: isActive }] },
    decodeSchedule,
  );
}

/** False when the schedule is gone. */
export function activateSchedule(
  api: Caller,
  id: string,
  scheduleId: string,
  isActive: boolean,
): Promise<boolean> {
  return api.tell({
    method: "PATCH",
    path: `${schedulesOf(id)}/${part(scheduleId)}`,
    body: { active: isActive },
    accept: [404],
  });
}

/** False when the schedule was gone already. */
export function deleteSchedule(api: Caller, id: string, scheduleId: string): Promise<boolean> {
  return api.tell({ method: "DELETE", path: `${schedulesOf(id)}/${part(scheduleId)}`, accept: [404] });
}

/** The latest flows. */
export function listFlows(api: Caller, limit: number): Promise<WithJson<Flow>[]> {
  return filterAll(api, "/flows/filter", { sort: "CREATED_DESC" }, withJson(decodeFlow), limit);
}

/** Names of the flows that the given objects belong to, by id. */
export async function readFlowNames(
  api: Caller,
  objects: readonly { readonly flow_id: string }[],
): Promise<ReadonlyMap<string, string>> {
  const ids = [...new Set(objects.map(({ flow_id: id }) => id))];
  if (ids.length === 0) return new Map();
  const flows = await filterAll(api, "/flows/filter", { flows: { id: { any_: ids } } }, decodeFlow);
  return new Map(flows.map(({ id, name }) => [id, name]));
}

function schedulesOf(id: string): string {
  return `/deployments/${part(id)}/schedules`;
}
