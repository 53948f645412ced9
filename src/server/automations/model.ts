import { ownValue } from "../../json/object.ts";
import { isJsonObject } from "../../json/value.ts";

import type { Json, JsonObject } from "../../json/value.ts";

/** One thing that is wrong with a request, as pydantic reports it. */
export interface Problem {
  readonly type: string;
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  readonly input: Json;
  readonly ctx?: JsonObject;
}

export type Checked =
  | { readonly ok: true; readonly value: Json; readonly fieldsSet?: number }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** What checking needs from elsewhere. */
export interface Checks {
  /** What is wrong with a Jinja template; undefined when nothing is. */
  readonly templateProblem: (template: string) => string | undefined;
}

/** Checks a value of a request and brings it into the form in which it is kept. */
export type Kind = (input: Json, checks: Checks) => Checked;

interface Field {
  readonly kind: Kind;
  /** Absent: the field is required. */
  readonly default?: () => Json;
}

/** An object with named fields. */
export interface Model {
  /** Its name within a union, as it stands in the `loc` of problems. */
  readonly label: string;
  readonly fields: Readonly<Record<string, Field>>;
  /** Refuses fields that it does not know, instead of ignoring them. */
  readonly isClosed?: boolean;
  /** Changes what is given before its fields are checked; throws a ValueProblem. */
  readonly before?: (given: JsonObject) => JsonObject;
  /** Looks at the finished object; throws a ValueProblem. */
  readonly after?: (value: JsonObject) => void;
}

/** Something that only the value as a whole shows. */
export class ValueProblem extends Error {}

export function required(kind: Kind): Field {
  return { kind };
}

export function optional(kind: Kind, value: Json | (() => Json) = null): Field {
  return { kind, default: typeof value === "function" ? value : () => value };
}

export function good(value: Json): Checked {
  return { ok: true, value };
}

export function bad(type: string, msg: string, input: Json, ctx?: JsonObject): Checked {
  return { ok: false, problems: [{ type, loc: [], msg, input, ...(ctx === undefined ? {} : { ctx }) }] };
}

/** The same problems, one step further out. */
export function within(step: string | number, problems: readonly Problem[]): Problem[] {
  return problems.map((problem) => ({ ...problem, loc: [step, ...problem.loc] }));
}

/** An object of a model: its fields in the model's order, those that were not given with their defaults. */
export function objectKind({ fields, isClosed = false, before, after }: Model): Kind {
  return (input, checks) => {
    if (!isJsonObject(input))
      return bad(
        "model_attributes_type",
        "Input should be a valid dictionary or object to extract fields from",
        input,
      );
    try {
      const given = before?.(input) ?? input;
      const problems: Problem[] = [];
      const value: Record<string, Json> = {};
      for (const [name, field] of Object.entries(fields)) {
        const item = ownValue(given, name);
        if (item === undefined) {
          if (field.default === undefined)
            problems.push({ type: "missing", loc: [name], msg: "Field required", input: given });
          else value[name] = field.default();
          continue;
        }
        const checked = field.kind(item, checks);
        if (checked.ok) value[name] = checked.value;
        else problems.push(...within(name, checked.problems));
      }
      if (isClosed) problems.push(...unknownFields(given, fields));
      if (problems.length > 0) return { ok: false, problems };
      after?.(value);
      return { ok: true, value, fieldsSet: Object.keys(given).filter((name) => name in fields).length };
    } catch (thrown) {
      if (thrown instanceof ValueProblem)
        return bad("value_error", `Value error, ${thrown.message}`, input, { error: {} });
      throw thrown;
    }
  };
}

/** One of several models: the one that fits, and of those that fit the one that knows most of what is given (pydantic's smart mode). */
export function unionKind(models: () => readonly Model[]): Kind {
  return (input, checks) => {
    const problems: Problem[] = [];
    let best: Extract<Checked, { ok: true }> | undefined;
    for (const model of models()) {
      const checked = objectKind(model)(input, checks);
      if (!checked.ok) problems.push(...within(model.label, checked.problems));
      else if (best === undefined || (checked.fieldsSet ?? 0) > (best.fieldsSet ?? 0)) best = checked;
    }
    return best ?? { ok: false, problems };
  };
}

function unknownFields(given: JsonObject, fields: Model["fields"]): Problem[] {
  return Object.entries(given)
    .filter(([name]) => !(name in fields))
    .map(([name, input]) => ({
      type: "extra_forbidden",
      loc: [name],
      msg: "Extra inputs are not permitted",
      input,
    }));
}

/** A list of items of one kind. */
export function listOf(kind: Kind): Kind {
  return (input, checks) => {
    if (!Array.isArray(input)) return bad("list_type", "Input should be a valid list", input);
    const problems: Problem[] = [];
    const values: Json[] = [];
    for (const [at, item] of (input as readonly Json[]).entries()) {
      const checked = kind(item, checks);
      if (checked.ok) values.push(checked.value);
      else problems.push(...within(at, checked.problems));
    }
    return problems.length > 0 ? { ok: false, problems } : good(values);
  };
}

/** A list of objects, each of one of the models. */
export function listOfModels(models: () => readonly Model[]): Kind {
  return listOf(unionKind(models));
}
