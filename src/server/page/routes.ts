/** What the page shows for an address. */
export type Route =
  | { readonly view: "overview" | "runs" | "deployments" | "variables" | "blocks" | "not-found" }
  | { readonly view: "run" | "deployment"; readonly id: string };

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/**
 * The view of a path. Besides its own short addresses the page knows those of Prefect's UI, which the `prefect` command and
 * the engine's logs print (prefect/utilities/urls.py): `/runs/flow-run/<id>`, `/deployments/deployment/<id>`…
 */
export function routeOf(path: string): Route {
  const [view = "", ...rest] = path.replace(/^\/+|\/+$/g, "").split("/");
  const id = rest.at(-1);
  switch (view) {
    case "":
    case "work-pools":
      return view === "" && rest.length > 0 ? { view: "not-found" } : { view: "overview" };
    case "runs":
    case "flow-runs":
      return id === undefined ? { view: "runs" } : one("run", id);
    case "deployments":
      return id === undefined ? { view: "deployments" } : one("deployment", id);
    case "variables":
    case "blocks":
      return { view };
    default:
      return { view: "not-found" };
  }
}

function one(view: "run" | "deployment", id: string): Route {
  return UUID.test(id) ? { view, id: id.toLowerCase() } : { view: "not-found" };
}

export function runHref(id: string): string {
  return `/runs/${id}`;
}

export function deploymentHref(id: string): string {
  return `/deployments/${id}`;
}
