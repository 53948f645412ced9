import { prefect } from "./setting.ts";
import { text } from "./value-types.ts";

/** Registering deployments (prefect/settings/models/deployments.py). */
export const PROJECT_SETTINGS = {
  "deployments.default_work_pool_name": prefect({
    type: text,
    doc: "Work pool of deployments that name none.",
    example: "my-pool",
    deprecatedNames: ["PREFECT_DEFAULT_WORK_POOL_NAME"],
  }),
};
