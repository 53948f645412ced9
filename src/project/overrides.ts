import { readFile } from "node:fs/promises";
import { resolve } from "node:path";

import { coerceError, WorkerError } from "../errors.ts";
import { mergeObjects } from "../json/object.ts";
import { parseJson } from "../json/parse.ts";
import { isJsonObject } from "../json/value.ts";
import { VERSION_TYPES } from "./schema.ts";
import { parseYaml } from "./yaml-source.ts";

import type { Json, JsonObject } from "../json/value.ts";

/** What the command line says of one deployment; absent where it says nothing. Words and meanings are `prefect deploy`'s. */
export interface DeployOverrides {
  readonly entrypoint?: string | undefined;
  readonly description?: string | undefined;
  readonly version?: string | undefined;
  readonly versionType?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly concurrencyLimit?: number | undefined;
  readonly collisionStrategy?: string | undefined;
  readonly pool?: string | undefined;
  readonly workQueue?: string | undefined;
  /** `key=value` or a JSON object each. */
  readonly jobVariables?: readonly string[] | undefined;
  readonly cron?: readonly string[] | undefined;
  /** Seconds. */
  readonly interval?: readonly number[] | undefined;
  readonly rrule?: readonly string[] | undefined;
  readonly anchorDate?: string | undefined;
  readonly timezone?: string | undefined;
  /** JSON, or the path of a file that ends in .yaml, .yml or .json with a list `triggers`. */
  readonly triggers?: readonly string[] | undefined;
  /** As triggers, with a list `sla`. */
  readonly slas?: readonly string[] | undefined;
  /** `key=value` each; the value is JSON or text. */
  readonly param?: readonly string[] | undefined;
  /** A JSON object. */
  readonly params?: string | undefined;
  readonly enforceParameterSchema?: boolean | undefined;
}

/** Whether anything is said that would be ignored when several deployments are deployed. */
export function hasOverrides(overrides: DeployOverrides): boolean {
  return Object.values(overrides).some(
    (value) => value !== undefined && !(Array.isArray(value) && value.length === 0),
  );
}

/**
 * Lays what the command line says over a declaration's fields (prefect/cli/deploy/_config.py:
 * _apply_cli_options_to_deploy_config). Schedules are added, tags replaced, parameters and job variables merged key by key (Prefect replaces the
 * latter). Files of triggers are read from `cwd`. Throws a WorkerError (DEPLOY_REFUSED) that names the flag.
 */
export async function layOver(
  fields: JsonObject,
  overrides: DeployOverrides,
  cwd: string,
): Promise<JsonObject> {
  const { tags, param, params } = overrides;
  if (param !== undefined && param.length > 0 && params !== undefined) {
    throw new WorkerError("DEPLOY_REFUSED", "Can only pass one of `--param` or `--params`");
  }
  const changed: Record<string, Json> = { ...fields };
  const set = (key: string, value: Json | undefined): void => {
    if (value !== undefined) changed[key] = value;
  };
  set("entrypoint", overrides.entrypoint);
  set("description", overrides.description);
  set("version", overrides.version);
  set("version_type", isGiven(fields["version_type"]) ? undefined : versionType(overrides));
  set("tags", tags !== undefined && tags.length > 0 ? tags : undefined);
  set("concurrency_limit", concurrencyLimit(overrides));
  if (overrides.enforceParameterSchema === false) set("enforce_parameter_schema", false);

  const pool = objectAt(fields, "work_pool");
  const jobVariables = (overrides.jobVariables ?? []).map((text) => jobVariable(text));
  const poolChange: Record<string, Json> = {};
  if (overrides.pool !== undefined) poolChange["name"] = overrides.pool;
  if (overrides.workQueue !== undefined) poolChange["work_queue_name"] = overrides.workQueue;
  if (jobVariables.length > 0) {
    poolChange["job_variables"] = mergeObjects(objectAt(pool, "job_variables"), ...jobVariables);
  }
  if (Object.keys(poolChange).length > 0) changed["work_pool"] = mergeObjects(pool, poolChange);

  const parameters = params === undefined ? parametersOf(param ?? []) : objectFlag("--params", params);
  if (Object.keys(parameters).length > 0) {
    changed["parameters"] = mergeObjects(objectAt(fields, "parameters"), parameters);
  }
  const schedules = schedulesOf(fields, overrides);
  if (schedules !== undefined) changed["schedules"] = schedules;
  if (overrides.triggers !== undefined && overrides.triggers.length > 0) {
    const lists = await Promise.all(
      overrides.triggers.map((text) => listOf(resolve(cwd, text), text, "trigger", "triggers")),
    );
    changed["triggers"] = lists.flat();
  }
  if (overrides.slas !== undefined && overrides.slas.length > 0) {
    const lists = await Promise.all(
      overrides.slas.map((text) => listOf(resolve(cwd, text), text, "SLA", "sla")),
    );
    changed["sla"] = lists.flat();
  }
  return changed;
}

function versionType({ versionType: type }: DeployOverrides): string | undefined {
  const types: readonly string[] = VERSION_TYPES;
  if (type === undefined || types.includes(type)) return type;
  throw new WorkerError("DEPLOY_REFUSED", `--version-type is '${type}'`, {
    hint: `It is one of ${types.join(", ")}.`,
  });
}

function concurrencyLimit({ concurrencyLimit: limit, collisionStrategy }: DeployOverrides): Json | undefined {
  if (limit === undefined) return undefined;
  if (collisionStrategy === undefined) return limit;
  if (collisionStrategy !== "ENQUEUE" && collisionStrategy !== "CANCEL_NEW") {
    throw new WorkerError("DEPLOY_REFUSED", `--collision-strategy is '${collisionStrategy}'`, {
      hint: "It is ENQUEUE or CANCEL_NEW.",
    });
  }
  return { limit, collision_strategy: collisionStrategy };
}

function jobVariable(text: string): JsonObject {
  const equals = text.indexOf("=");
  const json = tryJson(text);
  if (equals > 0 && !isJsonObject(json)) return { [text.slice(0, equals)]: text.slice(equals + 1) };
  if (isJsonObject(json)) return json;
  throw new WorkerError("DEPLOY_REFUSED", `Could not parse variable: "${text}"`, {
    hint: "Write it as key=value, or as a JSON object.",
  });
}

function parametersOf(params: readonly string[]): JsonObject {
  return Object.fromEntries(
    params.map((text) => {
      const equals = text.indexOf("=");
      if (equals < 1) {
        throw new WorkerError("DEPLOY_REFUSED", `--param '${text}' has no value`, {
          hint: "Write it as key=value.",
        });
      }
      const value = text.slice(equals + 1);
      return [text.slice(0, equals), tryJson(value) ?? value];
    }),
  );
}

function objectFlag(flag: string, text: string): JsonObject {
  const json = tryJson(text);
  if (isJsonObject(json)) return json;
  throw new WorkerError("DEPLOY_REFUSED", `${flag} is no JSON object: ${text}`, {
    hint: `Write it as ${flag} '{"key": "value"}'.`,
  });
}

/** Schedules of the flags are added to those of the file; time zone and anchor hold for all. Undefined when nothing changes. */
function schedulesOf(fields: JsonObject, overrides: DeployOverrides): readonly Json[] | undefined {
  const { cron = [], interval = [], rrule = [], timezone, anchorDate } = overrides;
  const declared = fields["schedules"];
  const added: readonly JsonObject[] = [
    ...cron.map((line) => ({ cron: line })),
    ...interval.map((seconds) => ({ interval: seconds })),
    ...rrule.map((rule) => ({ rrule: rule })),
  ];
  if (added.length === 0 && !Array.isArray(declared)) return undefined;
  const all = [...(Array.isArray(declared) ? (declared as readonly Json[]) : []), ...added];
  return all.map((schedule) =>
    isJsonObject(schedule)
      ? {
          ...schedule,
          ...(anchorDate !== undefined && isGiven(schedule["interval"]) ? { anchor_date: anchorDate } : {}),
          ...(timezone === undefined ? {} : { timezone }),
        }
      : schedule,
  );
}

/** JSON of one, or a file with a list of them. */
async function listOf(path: string, text: string, what: string, key: string): Promise<readonly Json[]> {
  try {
    if (!/\.(?:ya?ml|json)$/.test(text)) return [parseJson(text)];
    const { value } = parseYaml(await readFile(path), text);
    const list = isJsonObject(value) ? value[key] : undefined;
    return Array.isArray(list) ? (list as readonly Json[]) : [];
  } catch (thrown) {
    throw new WorkerError(
      "DEPLOY_REFUSED",
      `Failed to parse ${what}: ${text}. Error: ${coerceError(thrown).message}`,
      {
        cause: thrown,
        hint: "Give a JSON object, or a .yaml or .json file with a list `" + key + "`.",
      },
    );
  }
}

function tryJson(text: string): Json | undefined {
  try {
    return parseJson(text);
  } catch {
    return undefined; // a plain text
  }
}

function isGiven(value: Json | undefined): boolean {
  return value !== undefined && value !== null;
}

/** The mapping below a key; empty when there is none. */
export function objectAt(object: JsonObject, key: string): JsonObject {
  const value = object[key];
  return isJsonObject(value) ? value : {};
}
