import { WorkerError } from "../errors.ts";

import type { WorkerErrorOptions } from "../errors.ts";

export interface TemplateErrorOptions extends WorkerErrorOptions {
  /** The placeholder as spelled in the template. */
  readonly placeholder?: string | undefined;
  /** Where in the template: `env.TOKEN`, `volumes[0]`; empty for the template itself. */
  readonly path?: string | undefined;
}

/** A template cannot be filled in: a reference leads nowhere, or a value has a shape that Prefect refuses too. */
export class TemplateError extends WorkerError {
  override readonly name = "TemplateError";
  readonly placeholder: string | undefined;
  readonly path: string;

  constructor(message: string, options: TemplateErrorOptions = {}) {
    super("TEMPLATE_INVALID", options.path ? `${options.path}: ${message}` : message, options);
    this.placeholder = options.placeholder;
    this.path = options.path ?? "";
  }
}
