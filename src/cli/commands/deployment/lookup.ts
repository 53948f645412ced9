import { findDeployment, findDeploymentByName, listDeployments } from "../../../api/manage/deployments.ts";
import { WorkerError } from "../../../errors.ts";
import { isUuid, pickOne } from "../../identify.ts";

import type { Caller } from "../../../api/calls.ts";
import type { NamedDeployment } from "../../../api/manage/deployments.ts";

/**
 * The deployment of `FLOW/NAME`, of a name that only one flow's deployment has, of an id or of a part of an id. Throws
 * NOT_FOUND with the nearest name, or USAGE where several would do.
 */
export async function getDeployment(api: Caller, reference: string): Promise<NamedDeployment> {
  const slash = reference.indexOf("/");
  const found =
    slash > 0
      ? await findDeploymentByName(api, reference.slice(0, slash), reference.slice(slash + 1))
      : isUuid(reference)
        ? await findDeployment(api, reference)
        : null;
  if (found !== null) return found;
  const deployments = await listDeployments(api);
  const [namesake, ...others] = deployments.filter(({ name }) => name === reference);
  if (others.length > 0) {
    const names = deployments
      .filter(({ name }) => name === reference)
      .map(fullName)
      .sort();
    throw new WorkerError(
      "USAGE",
      `More than one flow has a deployment '${reference}': ${names.join(", ")}`,
      {
        hint: "Give its full name.",
      },
    );
  }
  return (
    namesake ??
    pickOne(deployments, reference, {
      noun: "deployment",
      nameOf: fullName,
      listedBy: "lighterman deployment ls",
    })
  );
}

/** The one that a command names by its first word or by `--id`, as in Prefect. */
export async function getNamedDeployment(
  api: Caller,
  name: string | undefined,
  id: string | undefined,
): Promise<NamedDeployment> {
  const reference = name ?? id;
  if (reference === undefined || (name !== undefined && id !== undefined)) {
    throw new WorkerError("USAGE", "Which deployment?", { hint: "Give either FLOW/NAME or --id." });
  }
  return getDeployment(api, reference);
}

export function fullName({ flow_name: flow, name }: NamedDeployment): string {
  return `${flow}/${name}`;
}
