import { mergeObjects } from "../json/object.ts";
import { isJsonObject } from "../json/value.ts";
import {
  applyValues,
  findAllPlaceholders,
  resolveBlockReferences,
  resolveVariables,
} from "../templating/index.ts";
import { objectAt } from "./overrides.ts";
import { isBefore, isUpsertOnly } from "./server-fields.ts";

import type { WorkPool } from "../api/types.ts";
import type { ServerVersion } from "./server-fields.ts";
import type { Json, JsonObject } from "../json/value.ts";
import type { ReferenceLookups } from "../steps/types.ts";

export interface ResolutionOptions {
  readonly lookups: ReferenceLookups;
  readonly env: Readonly<Record<string, string>>;
  /** Put the values of blocks into the job variables, as Prefect does; else they stay references, which workers resolve. */
  readonly resolveBlocks: boolean;
  /** Undefined where the server does not tell its release. */
  readonly serverVersion?: ServerVersion | undefined;
  /** Null when there is no such pool. */
  readonly readPool: (name: string) => Promise<WorkPool | null>;
  /** Told of every text that a block gives. */
  readonly onSecret: (text: string) => void;
  readonly onWarning: (message: string) => void;
}

/**
 * Fills what a declaration may refer to before any step has run: blocks, then variables, then the environment, also by bare
 * names (templating.md §7). Steps are not among the fields. Block references within job variables stay as they are where the
 * pool's schema takes a text there. Throws a TemplateError.
 */
export async function resolveDeclaration(
  fields: JsonObject,
  options: ResolutionOptions,
): Promise<JsonObject> {
  const { lookups, env, onSecret } = options;
  const pool = objectAt(fields, "work_pool");
  const jobVariables = objectAt(pool, "job_variables");
  const bare = isJsonObject(fields["work_pool"])
    ? { ...fields, work_pool: { ...pool, job_variables: {} } }
    : fields;
  const rest = fill(
    await resolveVariables(await resolveBlockReferences(bare, lookups, { onSecret }), lookups),
    env,
  );
  if (Object.keys(jobVariables).length === 0) return rest;
  const filledPool = objectAt(rest, "work_pool");
  // Late releases of 2.x leave everything in them to the worker.
  const { serverVersion, resolveBlocks } = options;
  if (isUpsertOnly(serverVersion) && !isBefore(serverVersion, 2, 19, 6) && !resolveBlocks) {
    return { ...rest, work_pool: { ...filledPool, job_variables: jobVariables } };
  }
  const { kept, resolved } = await splitReferences(jobVariables, filledPool["name"], options);
  const withBlocks = await resolveBlockReferences(resolved, lookups, { onSecret });
  const merged = mergeObjects(jobVariables, isJsonObject(withBlocks) ? withBlocks : {}, kept);
  const filled = fill(await resolveVariables(merged, lookups), env);
  return { ...rest, work_pool: { ...filledPool, job_variables: filled } };
}

function fill(value: Json, env: Readonly<Record<string, string>>): JsonObject {
  const filled = applyValues(value, env, { env, removeNotset: false, keepNotsetItems: true });
  return typeof filled === "symbol" || !isJsonObject(filled) ? {} : filled;
}

/** Job variables whose block references stay, and those whose have to be filled. */
async function splitReferences(
  jobVariables: JsonObject,
  poolName: Json | undefined,
  { resolveBlocks, readPool, onWarning }: ResolutionOptions,
): Promise<{ readonly kept: JsonObject; readonly resolved: JsonObject }> {
  const referring = Object.entries(jobVariables).filter(([, value]) =>
    findAllPlaceholders(value).some(({ kind }) => kind === "block"),
  );
  if (referring.length === 0 || resolveBlocks) return { kept: {}, resolved: jobVariables };
  const pool = typeof poolName === "string" ? await readPool(poolName) : null;
  const schemas = objectAt(objectAt(pool?.base_job_template ?? {}, "variables"), "properties");
  const kept: Record<string, Json> = {};
  for (const [key, value] of referring) {
    if (takesReferences(value, schemas[key])) kept[key] = value;
    else {
      onWarning(
        `The job variable '${key}' refers to a block, but the work pool takes no text there: the block's value is stored in the deployment.`,
      );
    }
  }
  const resolved = Object.fromEntries(
    Object.entries(jobVariables).filter(([key]) => !Object.hasOwn(kept, key)),
  );
  return { kept, resolved };
}

/** Whether the texts with block references are allowed where they stand, as far as the schema says anything. */
function takesReferences(value: Json, schema: Json | undefined): boolean {
  if (!isJsonObject(schema)) return true;
  if (typeof value === "string") {
    return !findAllPlaceholders(value).some(({ kind }) => kind === "block") || takesText(schema);
  }
  if (Array.isArray(value)) {
    return value.every((item: Json) => takesReferences(item, branchOf(schema, "array")?.["items"]));
  }
  if (!isJsonObject(value)) return true;
  const branch = branchOf(schema, "object");
  const properties = objectAt(branch ?? {}, "properties");
  return Object.entries(value).every(([key, item]) =>
    takesReferences(item, properties[key] ?? branch?.["additionalProperties"]),
  );
}

function takesText(schema: JsonObject): boolean {
  if (schema["enum"] !== undefined || schema["const"] !== undefined || schema["$ref"] !== undefined)
    return false;
  const branches = branchesOf(schema);
  if (branches.length > 0) return branches.some((branch) => takesText(branch));
  const type = schema["type"];
  const isText = type === undefined || type === "string" || (Array.isArray(type) && type.includes("string"));
  return isText && schema["format"] === undefined && schema["pattern"] === undefined;
}

function branchOf(schema: JsonObject, type: string): JsonObject | undefined {
  const branches = branchesOf(schema);
  return branches.length === 0 ? schema : branches.find((branch) => branch["type"] === type);
}

function branchesOf(schema: JsonObject): readonly JsonObject[] {
  const branches = schema["anyOf"] ?? schema["oneOf"];
  return Array.isArray(branches) ? branches.filter((branch: Json) => isJsonObject(branch)) : [];
}
