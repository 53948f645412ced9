import { loadTemplates } from "./templates.ts";
import { SchemaValidator } from "../../schemas/validator.ts";

/** What deployments and their runs are checked and filled in with. */
export interface SchemaTools {
  readonly validator: SchemaValidator;
  /** Renders a Jinja template that is given no values. Throws with what is wrong. */
  readonly render: (template: string) => string;
}

/** Loads the libraries once, at the first call: a server needs them only when somebody deploys. */
export function lazySchemaTools(): () => Promise<SchemaTools> {
  let tools: Promise<SchemaTools> | undefined;
  return async () => {
    tools ??= Promise.all([SchemaValidator.load(), loadTemplates()]).then(([validator, render]) => ({
      validator,
      render,
    }));
    return tools;
  };
}
