import { entriesOf, objectOf } from "../../json/object.ts";
import { isJsonObject } from "../../json/value.ts";
import { HydrationError, hydrate } from "../schema-tools/hydrate.ts";
import { isTemplate } from "../templates/template.ts";

import type { Json, JsonObject } from "../../json/value.ts";
import type { HydrationSources } from "../schema-tools/hydrate.ts";

/** Fills in the templates and placeholders in the parameters of an action (prefect: RunDeployment.render_parameters). Throws a HydrationError. */
export function renderParameters(parameters: JsonObject, sources: HydrationSources): JsonObject {
  return hydrate(upgrade(parameters), sources);
}

/** What is wrong with the templates and placeholders in parameters, each with its place. */
export function parameterProblems(
  parameters: JsonObject,
  templateProblem: (template: string) => string | undefined,
): string[] {
  const sources: HydrationSources = {
    render(template) {
      const problem = templateProblem(template);
      if (problem !== undefined) throw new SyntaxError(problem);
      // Stands for whatever it will give; also valid as JSON.
      return "null";
    },
    variable: () => null,
  };
  const problems: string[] = [];
  const check = (value: Json, place: string): void => {
    if (Array.isArray(value)) {
      for (const [at, item] of (value as readonly Json[]).entries()) check(item, `${place}[${at}]`);
    } else if (isJsonObject(value) && !("__prefect_kind" in value)) {
      for (const [key, item] of entriesOf(value)) check(item, place === "" ? key : `${place}.${key}`);
    } else if (isJsonObject(value)) {
      try {
        hydrate({ value }, sources);
      } catch (thrown) {
        if (!(thrown instanceof HydrationError)) throw thrown;
        problems.push(`${place}${place === "" ? "" : ":"} ${thrown.message}`);
      }
    }
  };
  check(upgrade(parameters), "");
  return problems;
}

/** All templates in parameters, to find out which names they use. */
export function templatesIn(parameters: JsonObject): string[] {
  const found: string[] = [];
  const collect = (value: Json): void => {
    if (typeof value === "string" && isTemplate(value)) found.push(value);
    else if (Array.isArray(value)) for (const item of value as readonly Json[]) collect(item);
    else if (isJsonObject(value)) for (const item of Object.values(value)) collect(item);
  };
  collect(parameters);
  return found;
}

/** Makes placeholders of plain texts that are templates; what is one already stays as it is. */
function upgrade(parameters: JsonObject): JsonObject {
  return objectOf(entriesOf(parameters).map(([key, value]) => [key, upgradeValue(value)]));
}

function upgradeValue(value: Json): Json {
  if (typeof value === "string") return isTemplate(value) ? placeholder(value) : value;
  if (Array.isArray(value)) {
    return (value as readonly Json[]).map((item) => (Array.isArray(item) ? item : upgradeValue(item)));
  }
  return isJsonObject(value) && !("__prefect_kind" in value) ? upgrade(value) : value;
}

/** A template that is one expression keeps the kind of its value. */
function placeholder(template: string): JsonObject {
  const text = template.trim();
  const isOneExpression = text.startsWith("{{") && text.endsWith("}}") && text.indexOf("{{", 2) === -1;
  if (!isOneExpression) return { __prefect_kind: "jinja", template };
  return {
    __prefect_kind: "json",
    value: { __prefect_kind: "jinja", template: `{{ ${text.slice(2, -2).trim()} | tojson }}` },
  };
}
