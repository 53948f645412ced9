/** The paths of all routes, to tell an unknown path (404) from a known one with another method (405). */
export class PathIndex {
  readonly #patterns = new Map<string, RegExp>();

  /** A route's path, as in `/api/flows/:id`. */
  add(route: string): void {
    const parts = route.split("/").map((part) => (part.startsWith(":") ? "[^/]+" : part));
    this.#patterns.set(route, new RegExp(`^${parts.join("/")}/?$`));
  }

  has(path: string): boolean {
    return [...this.#patterns.values()].some((pattern) => pattern.test(path));
  }
}
