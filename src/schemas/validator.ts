import { parseJson } from "../json/parse.ts";
import { pythonRepr } from "../json/python.ts";
import { isJsonObject } from "../json/value.ts";
import { UNRESOLVABLE, adaptSchema, plainSchema, plainValue } from "./adapt.ts";
import { Explainer } from "./explainer.ts";
import { bestFlaw, flawsOf, jsonPath } from "./flaws.ts";

import type { Options, ValidateFunction } from "ajv";
import type { Ajv2020 } from "ajv/dist/2020.js";
import type { FormatName } from "ajv-formats";
import type { Json } from "../json/value.ts";
import type { PlainSchema, Reading } from "./adapt.ts";
import type { Flaw } from "./flaws.ts";

/** A schema refers to itself without an end. */
export class CircularSchemaError extends Error {
  constructor() {
    super("Invalid schema: Unable to validate schema with circular references.");
    this.name = "CircularSchemaError";
  }
}

/** A schema that was read. */
interface Compiled {
  readonly isValid: ValidateFunction;
  readonly plain: PlainSchema;
}

type NewAjv = (options: Options) => Ajv2020;

const MAX_COMPILED = 200;
const META_SCHEMA = "https://json-schema.org/draft/2020-12/schema";
// Those that Prefect's Python checks where it checks formats at all.
const FORMATS: FormatName[] = ["email", "ipv4", "ipv6", "date-time", "date", "time", "regex", "uuid"];

/**
 * Checks values against JSON schemas as Prefect's server does, in its words (prefect/utilities/schema_tools/validation.py).
 * Compiled schemas are kept by their texts; why a value is wrong is found out by a second validator, when one is.
 */
export class SchemaValidator {
  readonly #newAjv: NewAjv;
  readonly #judges = new Map<boolean, Ajv2020>();
  readonly #explainers = new Map<boolean, Explainer>();
  readonly #compiled = new Map<string, Compiled>();

  private constructor(newAjv: NewAjv) {
    this.#newAjv = newAjv;
  }

  /** Loads the library, which a server needs only once somebody deploys. */
  static async load(): Promise<SchemaValidator> {
    const [ajv2020, formats] = await Promise.all([import("ajv/dist/2020.js"), import("ajv-formats")]);
    return new SchemaValidator((options) => {
      const ajv = new ajv2020.default.Ajv2020({
        strict: false,
        validateSchema: false,
        addUsedSchema: false,
        logger: false,
        code: { regExp: Object.assign(pythonRegExp, { code: "pythonRegExp" }) },
        ...options,
      });
      if (options.validateFormats === true) formats.default.default(ajv, FORMATS);
      ajv.addKeyword({ keyword: UNRESOLVABLE, schemaType: "string", validate: () => false });
      return ajv;
    });
  }

  /**
   * What is wrong with a value, as in `Validation failed for field 'n'. Failure reason: 'x' is not of type 'integer'`;
   * undefined when nothing is. Throws a CircularSchemaError.
   */
  failure(schemaText: string, value: Json, reading: Reading): string | undefined {
    const flaws = this.#flawsOf(schemaText, value, reading);
    if (flaws === undefined) return undefined;
    const lost = flaws.find(({ keyword }) => keyword === UNRESOLVABLE);
    const best = lost === undefined ? bestFlaw(flaws) : { path: [], message: lost.message };
    const reason = best?.message ?? "the value does not match the schema";
    if (best === undefined || best.path.length === 0) return `Validation failed. Failure reason: ${reason}`;
    const field = jsonPath(best.path).replaceAll("$.", "");
    return `Validation failed for field ${pythonRepr(field)}. Failure reason: ${reason}`;
  }

  /** The first thing that is wrong with a value, with no word on where; undefined when nothing is. Throws a CircularSchemaError. */
  firstFlaw(schemaText: string, value: Json, reading: Reading): string | undefined {
    return this.#flawsOf(schemaText, value, reading)?.[0]?.message;
  }

  /** What is wrong with a schema itself: `'objekt' is not valid under any of the given schemas`; undefined when nothing is. */
  schemaFailure(schema: Json): string | undefined {
    const plain = plainValue(schema);
    if (this.#judge(false).validate(META_SCHEMA, plain)) return undefined;
    const errors = this.#explainer(false).errorsOf(META_SCHEMA, plain);
    return bestFlaw(flawsOf(errors, new Map(), schema))?.message ?? "it is no JSON schema";
  }

  #flawsOf(schemaText: string, value: Json, reading: Reading): Flaw[] | undefined {
    const checksFormats = reading.checksFormats === true;
    try {
      const { isValid, plain } = this.#compile(schemaText, reading, checksFormats);
      const plainInstance = plainValue(value);
      if (isValid(plainInstance)) return undefined;
      const errors = this.#explainer(checksFormats).errorsOf(plain.schema, plainInstance);
      return flawsOf(errors, plain.originals, value);
    } catch (thrown) {
      if (thrown instanceof RangeError) throw new CircularSchemaError();
      throw thrown;
    }
  }

  #compile(schemaText: string, reading: Reading, checksFormats: boolean): Compiled {
    const { preprocess, ignoreRequired, allowNoneWithDefault } = reading;
    const key = `${[preprocess, ignoreRequired, allowNoneWithDefault, checksFormats].map(Number).join("")}${schemaText}`;
    const known = this.#compiled.get(key);
    if (known !== undefined) return known;
    const schema = parseJson(schemaText);
    const plain = plainSchema(adaptSchema(isJsonObject(schema) ? schema : {}, reading));
    const compiled = { isValid: this.#judge(checksFormats).compile(plain.schema), plain };
    if (this.#compiled.size >= MAX_COMPILED) this.#forgetOldest();
    this.#compiled.set(key, compiled);
    return compiled;
  }

  #forgetOldest(): void {
    for (const [key, { plain }] of this.#compiled) {
      for (const judge of this.#judges.values()) judge.removeSchema(plain.schema);
      this.#compiled.delete(key);
      return;
    }
  }

  #explainer(checksFormats: boolean): Explainer {
    let explainer = this.#explainers.get(checksFormats);
    if (explainer === undefined) {
      explainer = new Explainer(
        this.#newAjv({ validateFormats: checksFormats, allErrors: true, verbose: true }),
      );
      this.#explainers.set(checksFormats, explainer);
    }
    return explainer;
  }

  #judge(checksFormats: boolean): Ajv2020 {
    let judge = this.#judges.get(checksFormats);
    if (judge === undefined) {
      judge = this.#newAjv({ validateFormats: checksFormats });
      this.#judges.set(checksFormats, judge);
    }
    return judge;
  }
}

/** A pattern of Python's: what JavaScript writes otherwise is translated; what it does not have matches everything. */
function pythonRegExp(pattern: string): RegExp {
  const translated = pattern
    .replaceAll("(?P<", "(?<")
    .replaceAll(String.raw`\A`, "^")
    .replaceAll(String.raw`\Z`, "$");
  for (const [source, flags] of [
    [pattern, "u"],
    [translated, "u"],
    [translated, ""],
  ] as const) {
    try {
      return new RegExp(source, flags);
    } catch {
      // The next reading may do.
    }
  }
  return /(?:)/;
}
