import { SchemaValidator } from "../../schemas/validator.ts";
import { loadTemplates } from "../templates/template.ts";

import type { Templates } from "../templates/template.ts";

/** What deployments, their runs and automations are checked and filled in with. */
export interface SchemaTools {
  readonly validator: SchemaValidator;
  readonly templates: Templates;
}

/** Loads the libraries once, at the first call: a server needs them only when somebody deploys. */
export function lazySchemaTools(): () => Promise<SchemaTools> {
  let tools: Promise<SchemaTools> | undefined;
  return async () => {
    tools ??= Promise.all([SchemaValidator.load(), loadTemplates()]).then(([validator, templates]) => ({
      validator,
      templates,
    }));
    return tools;
  };
}
