/** A value as it stood in one source. */
export interface Entry {
  readonly raw: unknown;
  /** For people: "environment variable PREFECT_API_URL", "line 3 of worker.yaml". */
  readonly source: string;
  /** Absolute; relative paths count from here. */
  readonly baseDir: string;
  /** It stands in our own YAML file. */
  readonly isOurs?: boolean;
}

/** All that one source says, by the name of the environment variable that means the same. */
export type Layer = ReadonlyMap<string, Entry>;
