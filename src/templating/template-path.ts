/** The place of a mapping's value, as error messages show it: `env.TOKEN`. */
export function memberPath(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}

/** The place of a list's item: `volumes[0]`. */
export function itemPath(path: string, index: number): string {
  return `${path}[${index}]`;
}
