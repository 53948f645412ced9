import { entriesOf, mergeObjects, objectOf, ownValue } from "../json/object.ts";
import { isPythonTruthy, pythonStr, pythonTypeName } from "../json/python.ts";
import { isJsonObject } from "../json/value.ts";
import { applyValues } from "./apply-values.ts";
import { TemplateError } from "./errors.ts";
import { splitKeypath } from "./keypath.ts";

import type { Json, JsonObject } from "../json/value.ts";
import type { ApplyValuesOptions } from "./apply-values.ts";

export interface JobConfigurationSources {
  /** The work pool's: `{job_configuration, variables}`. */
  readonly baseJobTemplate: JsonObject;
  readonly deploymentJobVariables?: JsonObject | null | undefined;
  readonly flowRunJobVariables?: JsonObject | null | undefined;
  /** The worker's environment, for `{{ $NAME }}`. */
  readonly env: ApplyValuesOptions["env"];
}

export interface MergedJobConfiguration {
  /** The job configuration with its values; block and variable references still stand in it. */
  readonly configuration: JsonObject;
  /** All job variables after merging, those too that the template does not name. Their texts are as written. */
  readonly variables: JsonObject;
}

/**
 * Lays schema defaults, the deployment's and the run's job variables over each other (the later wins) and fills the work
 * pool's job configuration with them, as BaseJobConfiguration.from_template_and_values of Prefect 3.8.8 does (protocol §3.1,
 * §3.2): `env` is merged variable by variable over the template's own `env`, everything else is replaced as a whole, and keys with
 * dots (`"env.FOO"`) become nested mappings. Types are not checked: the server has done so.
 *
 * Next come `resolveBlockReferences` and `resolveVariables` on the configuration, then {@link environmentStrings} on its `env`.
 * Throws a TemplateError when the base job template lacks a part, or an `env` is no mapping where two have to be merged.
 */
export function mergeJobConfiguration(sources: JobConfigurationSources): MergedJobConfiguration {
  const { baseJobTemplate, env } = sources;
  const own = requireObject(ownValue(baseJobTemplate, "job_configuration"), "job_configuration");
  const schema = requireObject(ownValue(baseJobTemplate, "variables"), "variables");
  const defaults = schemaDefaults(
    requireObject(ownValue(schema, "properties") ?? {}, "variables.properties"),
  );

  let template = own;
  const defaultEnv = ownValue(defaults, "env");
  if (isPythonTruthy(defaultEnv) && defaultEnv !== undefined) {
    const ownEnv = ownValue(own, "env");
    const merged = isJsonObject(ownEnv)
      ? mergeObjects(ownEnv, requireObject(defaultEnv, "variables.properties.env.default"))
      : defaultEnv;
    template = mergeObjects(own, { env: merged });
  }

  const jobVariables = mergeJobVariables(sources.deploymentJobVariables, sources.flowRunJobVariables);
  const variables = mergeObjects(defaults, nestDottedKeys(jobVariables));
  const templateEnv = ownValue(template, "env");
  const runEnv = ownValue(variables, "env");
  if (isJsonObject(templateEnv) && isPythonTruthy(runEnv)) {
    template = mergeObjects(template, { env: mergeObjects(templateEnv, requireObject(runEnv, "env")) });
  }
  return { configuration: applyValues(template, variables, { env }), variables };
}

/**
 * The environment variables of a job configuration's `env`, as Prefect reads them: numbers, booleans and the like become
 * their Python text, null stays and unsets the variable. No `env` at all is an empty one. Throws a TemplateError for
 * anything that is no mapping.
 */
export function environmentStrings(env: Json | undefined): Readonly<Record<string, string | null>> {
  if (env === undefined) return {};
  const entries = entriesOf(requireObject(env, "env"));
  return Object.fromEntries(entries.map(([key, value]) => [key, value === null ? null : pythonStr(value)]));
}

/** The deployment's job variables with the run's laid over them; only `env` is merged key by key. */
function mergeJobVariables(
  deployment: JsonObject | null | undefined,
  flowRun: JsonObject | null | undefined,
): JsonObject {
  const ofDeployment = deployment ?? {};
  const ofRun = flowRun ?? {};
  const deploymentEnv = ownValue(ofDeployment, "env");
  const runEnv = ownValue(ofRun, "env");
  if (!isJsonObject(deploymentEnv) || runEnv === undefined) return mergeObjects(ofDeployment, ofRun);
  const env = mergeObjects(deploymentEnv, requireObject(runEnv, "the flow run's env"));
  return mergeObjects(ofDeployment, ofRun, { env });
}

function schemaDefaults(properties: JsonObject): JsonObject {
  const defaults: [string, Json][] = [];
  for (const [name, property] of entriesOf(properties)) {
    const value = isJsonObject(property) ? ownValue(property, "default") : undefined;
    // A null default counts as none: an absent value drops the key, so that the worker's own default holds.
    if (value !== undefined && value !== null) defaults.push([name, value]);
  }
  return objectOf(defaults);
}

/** Keys with dots first, in their order; then the plain ones, which win but are merged where both are mappings. */
function nestDottedKeys(jobVariables: JsonObject): JsonObject {
  let nested: JsonObject = {};
  const plain: [string, Json][] = [];
  for (const [key, value] of entriesOf(jobVariables)) {
    if (key.includes(".")) nested = setAt(nested, splitKeypath(key), value, key);
    else plain.push([key, value]);
  }
  return deepMerge(nested, objectOf(plain));
}

function setAt(
  object: JsonObject,
  [key = "", ...rest]: readonly string[],
  value: Json,
  whole: string,
): JsonObject {
  if (rest.length === 0) return mergeObjects(object, objectOf([[key, value]]));
  const inner = Object.hasOwn(object, key) ? (object[key] ?? null) : {};
  if (!isJsonObject(inner)) {
    throw new TemplateError(
      `job variable "${whole}": "${key}" holds a value of type ${pythonTypeName(inner)} already`,
      {
        path: whole,
        hint: "Give the variable either as one value or by its parts, not both.",
      },
    );
  }
  return mergeObjects(object, objectOf([[key, setAt(inner, rest, value, whole)]]));
}

function deepMerge(below: JsonObject, above: JsonObject): JsonObject {
  const entries = entriesOf(above).map(([key, value]): [string, Json] => {
    const other = ownValue(below, key);
    return [key, isJsonObject(other) && isJsonObject(value) ? deepMerge(other, value) : value];
  });
  return mergeObjects(below, objectOf(entries));
}

function requireObject(value: Json | undefined, path: string): JsonObject {
  if (isJsonObject(value)) return value;
  const found = value === undefined ? "missing" : `of type ${pythonTypeName(value)}`;
  throw new TemplateError(`${path} is ${found} where a mapping is needed`, {
    path,
    hint: "Correct the work pool's base job template or the job variables of the deployment and the run.",
  });
}
