import { parseJson } from "../../json/parse.ts";
import { stringifyJson } from "../../json/stringify.ts";
import { isJsonObject } from "../../json/value.ts";
import { ApiError } from "../http/errors.ts";
import { HydrationError, hydrate } from "../schema-tools/hydrate.ts";
import { CircularSchemaError } from "../../schemas/validator.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { Reading } from "../../schemas/adapt.ts";
import type { SchemaTools } from "../schema-tools/tools.ts";
import type { Reader } from "../store/database.ts";

const ALL: Reading = { preprocess: true, ignoreRequired: false, allowNoneWithDefault: false };

/** A deployment's own parameters need not be complete: those of its runs are laid over them. */
const INCOMPLETE: Reading = { ...ALL, ignoreRequired: true };

/** As {@link INCOMPLETE}, with the schema as it stands: what is asked of a deployment at its creation. */
const AS_WRITTEN: Reading = { ...INCOMPLETE, preprocess: false };

/** The parameters with what they only name filled in. Throws a 400 that begins with `what`. */
export function hydrateParameters(
  reader: Reader,
  tools: SchemaTools,
  parameters: JsonObject,
  what: string,
): JsonObject {
  try {
    return hydrateInput(reader, tools, parameters);
  } catch (thrown) {
    if (thrown instanceof HydrationError) throw new ApiError(400, `${what}: ${thrown.message}`);
    throw thrown;
  }
}

/** The same for any object. Throws a HydrationError. */
export function hydrateInput(reader: Reader, { templates }: SchemaTools, input: JsonObject): JsonObject {
  return hydrate(input, {
    render: (template) => templates.render(template, {}),
    variable: (name) => readVariable(reader, name),
  });
}

/** The value of a variable; undefined when there is none. */
export function readVariable(reader: Reader, name: string): Json | undefined {
  const row = reader.get<{ value: string }>("SELECT value FROM variable WHERE name = ?", name);
  return row === undefined ? undefined : parseJson(row.value);
}

/** Checks the parameters of a run. Throws a 409, or a 422 for a schema that refers to itself. */
export function checkRunParameters(
  { validator }: SchemaTools,
  schemaText: string | null,
  parameters: JsonObject,
): void {
  refuse("Error creating flow run", schemaText, (schema) => validator.failure(schema, parameters, ALL));
}

/** Checks a deployment's parameters after a change. Throws as {@link checkRunParameters}. */
export function checkChangedParameters(
  { validator }: SchemaTools,
  schemaText: string | null,
  parameters: JsonObject,
): void {
  refuse("Error updating deployment", schemaText, (schema) =>
    validator.failure(schema, parameters, INCOMPLETE),
  );
}

function refuse(
  what: string,
  schemaText: string | null,
  failureOf: (schema: string) => string | undefined,
): void {
  if (schemaText === null) {
    throw new ApiError(
      409,
      "Error updating deployment: Cannot update parameters because parameter schema enforcement is enabled and the deployment does not have a valid parameter schema.",
    );
  }
  const failure = inWords(() => failureOf(schemaText));
  if (failure !== undefined) throw new ApiError(409, `${what}: ${failure}`);
}

/** What is wrong with the parameters and the schema of a deployment that is to be made; undefined when nothing is. */
export function newParametersFailure(
  { validator }: SchemaTools,
  schema: Json | undefined,
  parameters: JsonObject,
): string | undefined {
  if (schema === undefined || schema === null) return undefined;
  const schemaFailure = validator.schemaFailure(schema);
  if (schemaFailure !== undefined)
    return `The provided schema is not a valid json schema. Schema error: ${schemaFailure}`;
  if (!isJsonObject(schema)) return undefined;
  return inWords(() => validator.failure(stringifyJson(schema), parameters, AS_WRITTEN));
}

/** What is wrong with the input for a run that waits for one, in the words of its answer; undefined when nothing is. */
export function runInputFailure(
  { validator }: SchemaTools,
  schemaText: string,
  input: JsonObject,
): string | undefined {
  try {
    const failure = validator.failure(schemaText, input, ALL);
    return failure === undefined ? undefined : `Reason: ${failure}`;
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return "Run input schema is not valid JSON.";
    if (thrown instanceof CircularSchemaError) return thrown.message;
    throw thrown;
  }
}

function inWords(check: () => string | undefined): string | undefined {
  try {
    return check();
  } catch (thrown) {
    if (thrown instanceof CircularSchemaError) throw new ApiError(422, thrown.message);
    throw thrown;
  }
}

const MAX_BYTES = 524_288;

/** What is wrong with the size of parameters; undefined when they are small enough. */
export function sizeFailure(parameters: JsonObject): string | undefined {
  const bytes = Buffer.byteLength(stringifyJson(parameters));
  if (bytes <= MAX_BYTES) return undefined;
  return `Flow run parameters must be less than ${MAX_BYTES.toLocaleString("en")} bytes when serialized (got ${bytes.toLocaleString("en")} bytes).`;
}
