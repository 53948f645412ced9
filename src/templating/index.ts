// The public subpath `lighterman/templating`: Prefect's templating without a server, without I/O and without Python.
export { applyValues, NOT_SET } from "./apply-values.ts";
export { resolveBlockReferences } from "./block-references.ts";
export { PROCESS_BASE_JOB_TEMPLATE } from "./default-job-template.ts";
export { TemplateError } from "./errors.ts";
export { environmentStrings, mergeJobConfiguration } from "./job-configuration.ts";
export { maskSecret, SECRET_MASK } from "./mask.ts";
export { findAllPlaceholders } from "./placeholders.ts";
export { prepareName } from "./run-name.ts";
export { resolveVariables } from "./variables.ts";
export { parseJson } from "../json/parse.ts";
export { pythonRepr, pythonStr } from "../json/python.ts";
export { stringifyJson } from "../json/stringify.ts";
export { Float, isJsonObject } from "../json/value.ts";

export type { ApplyValuesOptions } from "./apply-values.ts";
export type { BlockLookup, ResolveBlockReferencesOptions } from "./block-references.ts";
export type { TemplateErrorOptions } from "./errors.ts";
export type { JobConfigurationSources, MergedJobConfiguration } from "./job-configuration.ts";
export type { Placeholder, PlaceholderKind } from "./placeholders.ts";
export type { NameContext } from "./run-name.ts";
export type { VariableLookup } from "./variables.ts";
export type { Json, JsonObject } from "../json/value.ts";
