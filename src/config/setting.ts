import type { ValueType } from "./value-types.ts";

/**
 * Which commands offer a flag: `log` all of them, `all` those that talk to the API, `flow` those that run a flow's steps or
 * code, `worker` and `server` only the start of one.
 */
export type FlagScope = "log" | "all" | "flow" | "worker" | "server";

/** How a setting stands on the command line. */
export interface Flag {
  /** Without dashes: `work-queue`. */
  readonly name: string;
  readonly short?: string;
  /** Name of the value in the help; absent for an on/off flag. */
  readonly metavar?: string;
  /** May be given several times. */
  readonly repeatable?: boolean;
  /** Has a `--no-…` form too. */
  readonly negatable?: boolean;
  readonly scope: FlagScope;
}

/**
 * One row of the settings table. Its key is its path in our YAML file, and for Prefect's own settings also the one in
 * prefect.toml; the environment variable is `PREFECT_` or `LIGHTERMAN_` plus that path in capitals.
 */
export interface Setting<T> {
  readonly owner: "prefect" | "own";
  readonly type: ValueType<T>;
  /** As a user would write it; undefined when there is none or when it is computed. */
  readonly default: string | undefined;
  /** Explains a default that is computed, or what its absence means. */
  readonly defaultDoc: string | undefined;
  /** Older names of the environment variable, still read, with a warning. */
  readonly deprecatedNames: readonly string[];
  readonly flag: Flag | undefined;
  /** Never shown in errors, logs or documents. */
  readonly secret: boolean;
  readonly doc: string;
  /** A value that differs from the default, as YAML. */
  readonly example: string;
}

export interface SettingSpec<T> {
  readonly type: ValueType<T>;
  readonly doc: string;
  readonly example: string;
  readonly default?: string;
  readonly defaultDoc?: string;
  readonly deprecatedNames?: readonly string[];
  readonly flag?: Flag;
  readonly secret?: boolean;
}

type WithDefault<T> = SettingSpec<T> & { readonly default: string };

/** A setting of Prefect's; children of the worker receive it too. */
export function prefect<T>(spec: WithDefault<T>): Setting<T>;
export function prefect<T>(spec: SettingSpec<T>): Setting<T | undefined>;
export function prefect<T>(spec: SettingSpec<T>): Setting<T | undefined> {
  return complete("prefect", spec);
}

/** A setting that only this worker knows. */
export function own<T>(spec: WithDefault<T>): Setting<T>;
export function own<T>(spec: SettingSpec<T>): Setting<T | undefined>;
export function own<T>(spec: SettingSpec<T>): Setting<T | undefined> {
  return complete("own", spec);
}

function complete<T>(owner: Setting<T>["owner"], spec: SettingSpec<T>): Setting<T> {
  return {
    owner,
    type: spec.type,
    default: spec.default,
    defaultDoc: spec.defaultDoc,
    deprecatedNames: spec.deprecatedNames ?? [],
    flag: spec.flag,
    secret: spec.secret ?? false,
    doc: spec.doc,
    example: spec.example,
  };
}

/** The environment variable of a setting: `worker.query_seconds` is `PREFECT_WORKER_QUERY_SECONDS`. */
export function environmentName(key: string, owner: Setting<unknown>["owner"]): string {
  const prefix = owner === "prefect" ? "PREFECT_" : "LIGHTERMAN_";
  return prefix + key.replaceAll(".", "_").toUpperCase();
}
