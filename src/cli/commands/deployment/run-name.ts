import { WorkerError } from "../../../errors.ts";
import { ownValue } from "../../../json/object.ts";
import { pythonStr } from "../../../json/python.ts";

import type { JsonObject } from "../../../json/value.ts";

/**
 * The name of a run with its parameters filled in: `{day}`, where `{{` is a brace. Of Python's `str.format`, which Prefect uses
 * here, that is all; anything more within the braces is refused. Throws a WorkerError.
 */
export function fillRunName(template: string, parameters: JsonObject): string {
  return template.replaceAll(/\{\{|\}\}|\{([^{}]*)\}|[{}]/g, (found, name: string | undefined) => {
    if (found === "{{" || found === "}}") return found.slice(1);
    if (name === undefined || !/^\w+$/.test(name)) {
      throw new WorkerError("USAGE", `'${found}' in the run's name cannot be filled in`, {
        hint: "Write {parameter}, and {{ for a brace.",
      });
    }
    const value = ownValue(parameters, name);
    if (value !== undefined) return pythonStr(value);
    throw new WorkerError("USAGE", `The run's name needs the parameter '${name}', which is not given`);
  });
}
