import { readWorkerTypes } from "../../../api/manage/work-pools.ts";
import { WorkerError } from "../../../errors.ts";
import { PROCESS_BASE_JOB_TEMPLATE } from "../../../templating/default-job-template.ts";
import { DOCKER_BASE_JOB_TEMPLATE } from "../../../templating/docker-job-template.ts";
import { closest } from "../../../project/closest.ts";

import type { Caller } from "../../../api/calls.ts";
import type { JsonObject } from "../../../json/value.ts";

/** The type of pools that is taken where none is told. */
export const OWN_TYPE = "process";

/**
 * The default base job template of a type of pool: our own for `process` and `docker`, else the server's. Throws a WorkerError for a type that
 * the server does not know.
 */
export async function defaultTemplate(api: Caller, type: string): Promise<JsonObject> {
  if (type === OWN_TYPE) return PROCESS_BASE_JOB_TEMPLATE;
  if (type === "docker") return DOCKER_BASE_JOB_TEMPLATE;
  const types = await readWorkerTypes(api);
  const template = types?.get(type);
  if (template !== undefined) return template;
  const known = types === null ? [OWN_TYPE] : [...types.keys()].sort();
  const suggestion = closest(type, known);
  throw new WorkerError("NOT_FOUND", `The server knows no work pool type '${type}'`, {
    hint:
      (suggestion === undefined ? "" : `Did you mean '${suggestion}'? `) +
      `It knows ${known.join(", ")}. For any other, give its template with --base-job-template FILE.`,
  });
}
