import { part } from "../calls.ts";
import { decodeVariable } from "../decode.ts";
import { objectIn, requiredText, textsOf } from "../fields.ts";
import { filterAll, withJson } from "./resource.ts";

import type { Json } from "../../json/value.ts";
import type { Caller } from "../calls.ts";
import type { WithJson } from "./resource.ts";

export interface Variable {
  readonly id: string;
  readonly name: string;
  readonly value: Json;
  readonly tags: readonly string[];
}

interface NewVariable {
  readonly name: string;
  readonly value: Json;
  readonly tags: readonly string[];
}

const decode = withJson((value: Json): Variable => {
  const object = objectIn(value, "variable");
  return {
    id: requiredText(object, "id"),
    name: requiredText(object, "name"),
    value: decodeVariable(value),
    tags: textsOf(object, "tags"),
  };
});

/** Variables by name. */
export function listVariables(api: Caller, limit = Infinity): Promise<WithJson<Variable>[]> {
  return filterAll(api, "/variables/filter", { sort: "NAME_ASC" }, decode, limit);
}

/** Null when there is no such variable. */
export function findVariable(api: Caller, name: string): Promise<WithJson<Variable> | null> {
  return api.find({ method: "GET", path: pathOf(name) }, decode);
}

/** Throws an ApiError 409 when the name is taken. */
export function createVariable(api: Caller, variable: NewVariable): Promise<WithJson<Variable>> {
  return api.read({ method: "POST", path: "/variables/", body: { ...variable } }, decode);
}

/** False when there is no such variable. */
export function updateVariable(api: Caller, { name, value, tags }: NewVariable): Promise<boolean> {
  return api.tell({ method: "PATCH", path: pathOf(name), body: { value, tags }, accept: [404] });
}

/** False when there is no such variable. */
export function deleteVariable(api: Caller, name: string): Promise<boolean> {
  return api.tell({ method: "DELETE", path: pathOf(name), accept: [404] });
}

function pathOf(name: string): string {
  return `/variables/name/${part(name)}`;
}
