import { WorkerError } from "../errors.ts";

import type { Declaration } from "./prefect-file.ts";

export interface SelectionRequest {
  readonly declarations: readonly Declaration[];
  /** `-n`, as given: a name, `flow/name`, or a pattern with `*`. */
  readonly names: readonly string[];
  readonly all: boolean;
  /** The entrypoint argument: with it, a deployment that no declaration describes can be made. */
  readonly entrypoint: string | undefined;
  /** Undefined without prompts. */
  readonly choose?: ChooseDeclaration | undefined;
  /** The flow's own name, where it differs from its function's; loads the flow. Undefined when that cannot be told. */
  readonly flowName: (declaration: Declaration) => Promise<string | undefined>;
}

/** Lets the user pick one; undefined for a new deployment. */
export type ChooseDeclaration = (
  declarations: readonly Declaration[],
  why: "existing" | "ambiguous",
) => Promise<Declaration | undefined>;

/** What is to be deployed. */
export interface Selection {
  /** In the file's order. Undefined stands for one that only the arguments describe. */
  readonly picked: readonly (Declaration | undefined)[];
  /** The one name that was given, when it is to name the one deployment. */
  readonly name: string | undefined;
  readonly warnings: readonly string[];
}

/**
 * Chooses declarations as `prefect deploy` does (prefect/cli/deploy/_config.py: _pick_deploy_configs), but for the
 * deliberate differences: the flow part of `flow/name` and of patterns counts, dashes and underscores are alike in it, the
 * flow's own name counts too, nothing is deployed twice, and a pattern or `flow/name` that matches nothing is refused.
 * Throws a WorkerError (DEPLOY_REFUSED, NOT_FOUND).
 */
export async function selectDeclarations(request: SelectionRequest): Promise<Selection> {
  const { declarations, names, all, entrypoint, choose } = request;
  if (all && names.length > 0) {
    throw refusal("DEPLOY_REFUSED", "Cannot use both `--all` and `--name` at the same time", "Use only one.");
  }
  if (all && declarations.length > 0) return { picked: declarations, name: undefined, warnings: [] };
  const only = names.length === 1 ? names[0] : undefined;
  const bare = only !== undefined && !only.includes("/") && !only.includes("*") ? only : undefined;
  if (declarations.length === 0) {
    if (only?.includes("*") === true) throw noMatch([only], declarations);
    return { picked: [undefined], name: only?.split("/").at(-1), warnings: [] };
  }
  if (names.length === 0) {
    if (choose !== undefined) {
      const chosen = await choose(declarations, "existing");
      return { picked: [chosen], name: undefined, warnings: [] };
    }
    if (declarations.length === 1) return { picked: declarations, name: undefined, warnings: [] };
    throw refusal(
      "DEPLOY_REFUSED",
      "Discovered one or more deployment configurations, but no name was given",
      `Give --name (${nameList(declarations)}) or --all.`,
    );
  }
  // One declaration, one other name: deployed under that name.
  if (choose === undefined && declarations.length === 1 && bare !== undefined) {
    return { picked: declarations, name: bare, warnings: [] };
  }
  const found = await findAll(request);
  const { picked, missing } = found;
  if (picked.length > 0) {
    const warnings =
      missing.length === 0
        ? []
        : [`The following deployment(s) could not be found and will not be deployed: ${missing.join(", ")}`];
    const name = picked.length === 1 ? bare : undefined;
    return { picked, name, warnings };
  }
  if (bare === undefined || (entrypoint === undefined && choose === undefined))
    throw noMatch(names, declarations);
  const warning = `Could not find any deployment configurations with the given name(s): ${names.join(", ")}. Your flow will be deployed with a new deployment configuration.`;
  return { picked: [undefined], name: bare, warnings: [warning] };
}

async function findAll({ declarations, names, choose, flowName }: SelectionRequest): Promise<{
  readonly picked: readonly Declaration[];
  readonly missing: readonly string[];
}> {
  const picked = new Set<Declaration>();
  const missing: string[] = [];
  for (const name of names) {
    const matches: Declaration[] = [];
    for (const declaration of declarations) {
      if (await isNamed(declaration, name, flowName)) matches.push(declaration);
    }
    const isPattern = name.includes("*");
    if (matches.length > 1 && choose !== undefined && !isPattern) {
      const chosen = await choose(matches, "ambiguous");
      if (chosen !== undefined) picked.add(chosen);
    } else {
      for (const match of matches) picked.add(match);
    }
    if (matches.length === 0) missing.push(name);
  }
  return {
    picked: declarations.filter((declaration) => picked.has(declaration)),
    missing: missing.toSorted(),
  };
}

async function isNamed(
  declaration: Declaration,
  wanted: string,
  flowName: SelectionRequest["flowName"],
): Promise<boolean> {
  const { name, entrypoint } = declaration.fields;
  const slash = wanted.indexOf("/");
  if (typeof name !== "string" || !matches(name, wanted.slice(slash + 1))) return false;
  if (slash === -1) return true;
  const flow = wanted.slice(0, slash);
  const functionName = typeof entrypoint === "string" ? functionOf(entrypoint) : undefined;
  if (functionName !== undefined && matches(dashed(functionName), dashed(flow))) return true;
  const own = functionName === undefined ? undefined : await flowName(declaration);
  return own !== undefined && (matches(own, flow) || matches(dashed(own), dashed(flow)));
}

/** `path/flow.py:main` and `package.module.main` → `main`. */
function functionOf(entrypoint: string): string {
  const last = entrypoint.slice(entrypoint.lastIndexOf(":") + 1);
  return entrypoint.includes(":") ? last : (last.split(".").at(-1) ?? last);
}

function dashed(name: string): string {
  return name.replaceAll("_", "-");
}

/** `*` stands for any run of characters, over the whole text. */
function matches(text: string, pattern: string): boolean {
  const parts = pattern.split("*");
  const [first = ""] = parts;
  if (parts.length === 1) return text === pattern;
  const last = parts.at(-1) ?? "";
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last))
    return false;
  let from = first.length;
  for (const part of parts.slice(1, -1)) {
    const at = text.indexOf(part, from);
    if (at === -1 || at + part.length > text.length - last.length) return false;
    from = at + part.length;
  }
  return true;
}

function noMatch(names: readonly string[], declarations: readonly Declaration[]): WorkerError {
  return refusal(
    "NOT_FOUND",
    `No deployment configuration matches ${names.map((name) => `'${name}'`).join(", ")}`,
    declarations.length === 0
      ? "The file declares no deployments; give an entrypoint and a plain --name."
      : `The file declares ${nameList(declarations)}. A new one needs an entrypoint and a plain --name.`,
  );
}

function nameList(declarations: readonly Declaration[]): string {
  const names = declarations.map(({ fields }) =>
    typeof fields["name"] === "string" ? fields["name"] : "(unnamed)",
  );
  return names.length <= 8
    ? names.join(", ")
    : `${names.slice(0, 8).join(", ")} and ${names.length - 8} more`;
}

function refusal(code: "DEPLOY_REFUSED" | "NOT_FOUND", message: string, hint: string): WorkerError {
  return new WorkerError(code, message, { hint });
}
