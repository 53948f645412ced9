import { createLease, renewLease, takeSlots } from "./leases.ts";

import type { ServerContext } from "../context.ts";
import type { Slot, Slots } from "../runs/rules.ts";
import type { Transaction } from "../store/database.ts";

interface DeploymentLimit {
  readonly id: string | null;
  readonly limit: number;
  readonly active: number;
  readonly active_slots: number;
  readonly concurrency_options: string | null;
}

interface Options {
  readonly collision_strategy?: string;
  readonly grace_period_seconds?: number | null;
}

/** The slots of the limit that a run's deployment has (prefect: SecureFlowConcurrencySlots and its like). */
export function slotsOf(
  context: ServerContext,
  tx: Transaction,
  run: { readonly id: string; readonly deployment_id: string | null },
): Slots {
  const { settings } = context;

  function limitOf(): DeploymentLimit | undefined {
    return tx.get<DeploymentLimit>(
      `SELECT l.id, l."limit", l.active, l.active_slots, d.concurrency_options FROM deployment d
       LEFT JOIN concurrency_limit_v2 l ON l.id = d.concurrency_limit_id WHERE d.id = ?`,
      run.deployment_id,
    );
  }

  function takeOf(limit: DeploymentLimit): Slot {
    if (limit.id === null || limit.active === 0) return { kind: "none" };
    if (limit.limit === 0) return { kind: "closed" };
    const options = optionsOf(limit);
    if (!takeSlots(tx, limit.id, 1)) {
      return {
        kind: "full",
        strategy: options.collision_strategy === "CANCEL_NEW" ? "CANCEL_NEW" : "ENQUEUE",
        waitSeconds: settings.deploymentConcurrencySlotWaitSeconds,
      };
    }
    const lease = { limitIds: [limit.id], slots: 1, holder: { type: "flow_run", id: run.id } };
    return { kind: "lease", leaseId: createLease(context, tx, lease, secondsOf(options)) };
  }

  function secondsOf(options: Options): number {
    return options.grace_period_seconds ?? settings.initialDeploymentLeaseDurationSeconds;
  }

  return {
    take() {
      if (run.deployment_id === null) return { kind: "none" };
      const limit = limitOf();
      return limit === undefined ? { kind: "no deployment" } : takeOf(limit);
    },
    keep(leaseId) {
      const limit = limitOf();
      if (limit === undefined) return { kind: "none" };
      if (renewLease(context, tx, leaseId, secondsOf(optionsOf(limit)))) return { kind: "lease", leaseId };
      return takeOf(limit);
    },
    areFullForNew() {
      const limit = run.deployment_id === null ? undefined : limitOf();
      if (limit === undefined || limit.id === null) return false;
      return optionsOf(limit).collision_strategy === "CANCEL_NEW" && limit.active_slots >= limit.limit;
    },
  };
}

function optionsOf({ concurrency_options: options }: DeploymentLimit): Options {
  return JSON.parse(options ?? "{}") as Options;
}
