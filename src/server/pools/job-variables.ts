import { mergeObjects, ownValue } from "../../json/object.ts";
import { pythonRepr } from "../../json/python.ts";
import { stringifyJson } from "../../json/stringify.ts";
import { isJsonObject } from "../../json/value.ts";
import { findPlaceholders } from "../../templating/placeholders.ts";
import { documentData } from "../blocks/documents.ts";
import { ApiError, invalidRequest } from "../http/errors.ts";
import { objectColumn } from "../store/json-column.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { ServerContext } from "../context.ts";
import type { Reading } from "../../schemas/adapt.ts";
import type { SchemaTools } from "../schema-tools/tools.ts";
import type { Reader } from "../store/database.ts";

/** A pool as far as its variables go. */
export interface PoolKey {
  readonly id: string;
  readonly updated: string;
}

/** What a pool's base job template says about job variables. */
interface PoolVariables {
  /** When the pool was changed last. */
  readonly updated: string;
  /** Undefined: everything goes. */
  readonly schema: string | undefined;
  readonly schemaFailure: string | undefined;
  readonly defaults: JsonObject;
  /** Defaults that are blocks: they may change at any time. */
  readonly references: readonly (readonly [name: string, documentId: Json])[];
  readonly hasInvalidDefaults: boolean;
}

const AS_WRITTEN: Reading = { preprocess: false, ignoreRequired: true, allowNoneWithDefault: false };
const READ = new WeakMap<SchemaTools, Map<string, PoolVariables>>();

/**
 * Checks the job variables of a run, laid over those of its deployment and the defaults of the pool: here they must be complete
 * (prefect/server/api/validation.py). Throws a 422, or a 404 when a block is gone.
 */
export function checkRunVariables(
  context: ServerContext,
  reader: Reader,
  tools: SchemaTools,
  pool: PoolKey,
  jobVariables: readonly JsonObject[],
): void {
  const failure = failureOf(context, reader, tools, { pool, jobVariables, mustBeComplete: true });
  if (failure !== undefined) throw new ApiError(422, `Error creating flow run: ${failure}`);
}

/** What is wrong with the job variables that an automation gives to its runs; undefined when nothing is. Throws as {@link checkRunVariables}. */
export function actionVariablesFailure(
  context: ServerContext,
  reader: Reader,
  tools: SchemaTools,
  pool: PoolKey,
  jobVariables: JsonObject,
): string | undefined {
  return failureOf(context, reader, tools, { pool, jobVariables: [jobVariables], mustBeComplete: true });
}

/** Checks the job variables of a new deployment, which need not be complete. Throws as {@link checkRunVariables}. */
export function checkDeploymentVariables(
  context: ServerContext,
  reader: Reader,
  tools: SchemaTools,
  pool: PoolKey,
  jobVariables: JsonObject,
): void {
  if (Object.keys(jobVariables).length === 0) return;
  const checked = { pool, jobVariables: [jobVariables], mustBeComplete: false };
  const failure = failureOf(context, reader, tools, checked);
  if (failure !== undefined) throw new ApiError(422, `Error creating deployment: ${failure}`);
}

/** Checks the job variables that a change of a deployment sends along with its pool. Throws a 409. */
export function checkChangedVariables(
  reader: Reader,
  { validator }: SchemaTools,
  pool: PoolKey,
  jobVariables: JsonObject,
): void {
  const variables = templateOf(reader, pool.id)["variables"];
  if (!isJsonObject(variables)) return;
  const reading: Reading = {
    preprocess: true,
    ignoreRequired: true,
    allowNoneWithDefault: false,
    checksFormats: true,
  };
  const flaw = validator.firstFlaw(stringifyJson(variables), jobVariables, reading);
  if (flaw !== undefined)
    throw new ApiError(409, `Error creating deployment: <ValidationError: ${pythonRepr(flaw)}>`);
}

interface Checked {
  readonly pool: PoolKey;
  readonly jobVariables: readonly JsonObject[];
  readonly mustBeComplete: boolean;
}

function failureOf(
  context: ServerContext,
  reader: Reader,
  tools: SchemaTools,
  { pool, jobVariables, mustBeComplete }: Checked,
): string | undefined {
  const variables = variablesOf(reader, tools, pool);
  const { schema } = variables;
  if (schema === undefined) return undefined;
  if (variables.schemaFailure !== undefined)
    throw new ApiError(422, `Invalid schema: ${variables.schemaFailure}`);
  let { hasInvalidDefaults } = variables;
  const blocks: Record<string, Json> = {};
  for (const [name, documentId] of variables.references) {
    const data = blockData(context, documentId);
    if (isValidDefault(tools, schema, name, data)) blocks[name] = data;
    else hasInvalidDefaults = true;
  }
  const all = mergeObjects(variables.defaults, blocks, ...jobVariables);
  return tools.validator.failure(schema, all, {
    preprocess: true,
    // Without all defaults nobody can tell whether something is missing.
    ignoreRequired: !mustBeComplete || hasInvalidDefaults,
    allowNoneWithDefault: true,
  });
}

/** The pool's variables, read again when the pool has changed. */
function variablesOf(reader: Reader, tools: SchemaTools, pool: PoolKey): PoolVariables {
  let read = READ.get(tools);
  if (read === undefined) READ.set(tools, (read = new Map()));
  const known = read.get(pool.id);
  if (known?.updated === pool.updated) return known;
  const variables = { ...readVariables(tools, templateOf(reader, pool.id)), updated: pool.updated };
  read.set(pool.id, variables);
  return variables;
}

function templateOf(reader: Reader, poolId: string): JsonObject {
  const row = reader.get<{ template: string }>(
    "SELECT base_job_template AS template FROM work_pool WHERE id = ?",
    poolId,
  );
  return objectColumn(row?.template ?? null);
}

function readVariables(tools: SchemaTools, template: JsonObject): Omit<PoolVariables, "updated"> {
  const variables = template["variables"];
  const none = { defaults: {}, references: [], hasInvalidDefaults: false, schemaFailure: undefined };
  if (!isJsonObject(variables) || Object.keys(variables).length === 0) return { ...none, schema: undefined };
  const schema = stringifyJson(variables);
  const schemaFailure = tools.validator.schemaFailure(variables);
  if (schemaFailure !== undefined) return { ...none, schema, schemaFailure };
  const { values, references } = defaultsIn(variables);
  const valid = values.filter(([name, value]) => isValidDefault(tools, schema, name, value));
  return {
    schema,
    schemaFailure: undefined,
    defaults: Object.fromEntries(valid),
    references,
    hasInvalidDefaults: valid.length < values.length,
  };
}

function defaultsIn(variables: JsonObject): {
  values: [name: string, value: Json][];
  references: [name: string, documentId: Json][];
} {
  const values: [string, Json][] = [];
  const references: [string, Json][] = [];
  const properties = variables["properties"];
  for (const [name, attributes] of Object.entries(isJsonObject(properties) ? properties : {})) {
    const value = isJsonObject(attributes) ? ownValue(attributes, "default") : undefined;
    if (value === undefined) continue;
    const reference = isJsonObject(value) ? ownValue(value, "$ref") : undefined;
    if (reference === undefined) values.push([name, value]);
    else if (isJsonObject(reference) && typeof reference["block_document_id"] === "string")
      references.push([name, reference["block_document_id"]]);
  }
  return { values, references };
}

function isValidDefault({ validator }: SchemaTools, schema: string, name: string, value: Json): boolean {
  return validator.firstFlaw(schema, { [name]: value }, { ...AS_WRITTEN, checksFormats: true }) === undefined;
}

function blockData(context: ServerContext, documentId: Json): JsonObject {
  const data = typeof documentId === "string" ? documentData(context, documentId) : undefined;
  if (data === undefined) throw new ApiError(404, "Block not found.");
  return data;
}

/** Checks that a template has its two parts, and a variable for each placeholder. Throws a 422. */
export function checkTemplateShape(template: JsonObject): void {
  if (Object.keys(template).length === 0) return;
  const { job_configuration: configuration, variables } = template;
  if (!isFilled(configuration) || !isFilled(variables)) {
    refuseTemplate(
      template,
      "The `base_job_template` must contain both a `job_configuration` key and a `variables` key.",
    );
  }
  const declared = isJsonObject(variables["properties"]) ? variables["properties"] : {};
  const names = Object.values(configuration).flatMap((value) =>
    findPlaceholders(stringifyJson(value)).map(({ name }) => name),
  );
  const missing = [...new Set(names)].filter((name) => !Object.hasOwn(declared, name));
  if (missing.length === 0) return;
  refuseTemplate(
    template,
    `The variables specified in the job configuration template must be present as properties in the variables schema. Your job configuration uses the following undeclared variable(s): ${missing.join(" ,")}.`,
  );
}

function refuseTemplate(template: JsonObject, message: string): never {
  throw invalidRequest(["body", "base_job_template"], `Value error, ${message}`, template);
}

function isFilled(value: Json | undefined): value is JsonObject {
  return isJsonObject(value) && Object.keys(value).length > 0;
}

/** Checks the defaults of a new pool against its own schema. Throws a 422, or a 404 for an unknown block. */
export function checkDefaults(context: ServerContext, tools: SchemaTools, template: JsonObject): void {
  const variables = template["variables"];
  if (!isFilled(variables)) return;
  const schemaFailure = tools.validator.schemaFailure(variables);
  if (schemaFailure !== undefined) throw new ApiError(422, `Invalid schema: ${schemaFailure}`);
  const { values, references } = defaultsIn(variables);
  const blocks = references.map(([name, documentId]) => [name, blockData(context, documentId)] as const);
  const failure = tools.validator.failure(
    stringifyJson(variables),
    Object.fromEntries([...values, ...blocks]),
    { preprocess: true, ignoreRequired: true, allowNoneWithDefault: true },
  );
  if (failure !== undefined)
    throw new ApiError(422, `Validation failed for work pool's job variable defaults: ${failure}`);
}
