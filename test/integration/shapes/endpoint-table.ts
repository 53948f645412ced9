import { readFileSync } from "node:fs";

/** How an endpoint of the real server is served, as `src/server/README.md` says. */
type Served = "as real" | "partial" | "absent";

export interface Endpoint {
  /** As in `GET /flows/{id}`. */
  readonly route: string;
  readonly served: Served;
}

const README = new URL("../../../src/server/README.md", import.meta.url);
const ROW = /^\| *(?:`([^`]*)`)? *\|([^|]*)\| *(as real|partial|absent) *\|/gm;

/** The rows of the table: a row without a path belongs to the path above; methods hold for the paths behind them. */
export function endpointTable(): readonly Endpoint[] {
  const text = readFileSync(README, "utf8");
  const table = text.slice(text.indexOf("| below |"), text.indexOf("## Rules"));
  let base = "";
  return [...table.matchAll(ROW)].flatMap(([, path, cell = "", served]) => {
    base = path ?? base;
    return routesOf(base, cell).map((route) => ({ route, served: served as Served }));
  });
}

function routesOf(base: string, cell: string): readonly string[] {
  let methods: string[] = [];
  let isAfterPath = false;
  return [...cell.matchAll(/`([^`]*)`|([A-Z]+)/g)].flatMap(([, path, method]) => {
    if (method !== undefined) {
      if (isAfterPath) methods = [];
      methods.push(method);
      isAfterPath = false;
      return [];
    }
    isAfterPath = true;
    return methods.map((each) => `${each} ${base}${(path ?? "").trim()}`);
  });
}

/** A route in which every parameter has the same name, to compare those of both servers. */
export function withoutNames(route: string): string {
  return route.replaceAll(/\{[^}]*\}|:\w+/g, "{}").replace(/(?<=.)\/$/, "");
}

/** The route among `routes` that a request goes to: the one with the fewest parameters. */
export function routeOf(request: string, routes: readonly string[]): string | undefined {
  const [method = "", address = ""] = request.split(" ", 2);
  const path = address.replace(/\?.*/, "").replace(/(?<=.)\/$/, "");
  return routes
    .filter((route) => {
      const pattern = withoutNames(route).replaceAll("{}", "[^/]+");
      return new RegExp(`^${pattern}$`).test(`${method} ${path}`);
    })
    .toSorted((a, b) => a.split("{").length - b.split("{").length)[0];
}
