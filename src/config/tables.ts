/** A mapping as the YAML and TOML readers give it. */
export type Table = Readonly<Record<string, unknown>>;

export function isTable(value: unknown): value is Table {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** The value at a path of keys, or undefined when there is none. */
export function valueAt(table: Table, keys: readonly string[]): unknown {
  let value: unknown = table;
  for (const key of keys) {
    if (!isTable(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}

/** Every value that is no table itself, with its path; `isLeaf` keeps a table whole. Nulls count as absent. */
export function* leavesOf(
  table: Table,
  isLeaf: (path: string) => boolean,
  prefix = "",
): Generator<readonly [path: string, value: unknown]> {
  for (const [key, value] of Object.entries(table)) {
    const path = prefix + key;
    if (value === null || value === undefined) continue;
    if (isTable(value) && !isLeaf(path)) yield* leavesOf(value, isLeaf, `${path}.`);
    else yield [path, value];
  }
}
