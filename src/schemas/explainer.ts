import { SCHEMA_ID, alternativesIn } from "./adapt.ts";

import type { ErrorObject, SchemaValidateFunction } from "ajv";
import type { Ajv2020 } from "ajv/dist/2020.js";

const OURS = new RegExp(`^${SCHEMA_ID}`);

/** What hangs below the error of a list of alternatives (anyOf, oneOf). */
export interface AlternativeParams {
  /** The errors of all alternatives. */
  readonly errors: readonly ErrorObject[];
  /** Places of those that match. */
  readonly matches: readonly number[];
}

/**
 * Finds all errors of a value that is known to be wrong. Those of alternatives hang below the error of their list; the library gives
 * one flat list, which does not tell them apart.
 */
export class Explainer {
  readonly #ajv: Ajv2020;
  /** Where the library finds each list of alternatives. */
  readonly #addresses = new Map<unknown, string>();

  /** `ajv` must collect all errors and be verbose. */
  constructor(ajv: Ajv2020) {
    this.#ajv = ajv;
    for (const [id, document] of Object.entries(ajv.schemas)) {
      if (document === undefined) continue;
      for (const [list, address] of alternativesIn(document.schema, `${id}#`))
        this.#addresses.set(list, address);
    }
    for (const keyword of ["anyOf", "oneOf"] as const) {
      ajv.removeKeyword(keyword);
      ajv.addKeyword({ keyword, schemaType: "array", errors: true, validate: this.#check(keyword) });
    }
  }

  /** The errors of a value under a schema, or under one that the library has by that id. */
  errorsOf(schema: Record<string, unknown> | string, value: unknown): readonly ErrorObject[] {
    if (typeof schema === "string") {
      this.#ajv.validate(schema, value);
      return this.#ajv.errors ?? [];
    }
    const lists = [...alternativesIn(schema, `${SCHEMA_ID}#`)];
    for (const [list, address] of lists) this.#addresses.set(list, address);
    this.#ajv.addSchema(schema);
    try {
      this.#ajv.validate(SCHEMA_ID, value);
      return this.#ajv.errors ?? [];
    } finally {
      // With all that the library has found below it.
      this.#ajv.removeSchema(OURS);
      for (const [list] of lists) this.#addresses.delete(list);
    }
  }

  #check(keyword: "anyOf" | "oneOf"): SchemaValidateFunction {
    const validate: SchemaValidateFunction = (alternatives: unknown[], data: unknown, parentSchema = {}) => {
      const results = alternatives.map((schema, index) => {
        if (typeof schema === "boolean") return { isValid: schema, errors: [] };
        const check = this.#ajv.getSchema(`${this.#addresses.get(alternatives) ?? ""}/${index}`);
        return { isValid: check?.(data) === true, errors: check?.errors ?? [] };
      });
      const matches = results.flatMap(({ isValid }, index) => (isValid ? [index] : []));
      const isValid = keyword === "anyOf" ? matches.length > 0 : matches.length === 1;
      const params: AlternativeParams = { errors: results.flatMap(({ errors }) => errors), matches };
      validate.errors = isValid ? [] : [{ keyword, params, parentSchema }];
      return isValid;
    };
    return validate;
  }
}
