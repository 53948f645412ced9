import { parseImageReference } from "../../docker/image-reference.ts";
import { isPythonTruthy, pythonRepr, pythonStr, pythonTypeName } from "../../json/python.ts";
import { isJsonObject } from "../../json/value.ts";
import { StepError } from "../errors.ts";

import type { RegistryBlock } from "../../docker/registry-logins.ts";
import type { Json } from "../../json/value.ts";

/** Throws a StepError for another backend than the one that we stand in for; `buildx` does not come here. */
export function checkBackend(value: Json | undefined): void {
  if (value === undefined || value === "docker-py") return;
  throw new StepError(`There is no build_backend ${pythonRepr(value)}`, {
    hint: "Leave it out (the engine itself, as with 'docker-py'), or write 'buildx', which runs in Python.",
  });
}

/** A tag may be written without quotes (`tag: 1.0`), as Prefect takes it. Null when there is none. */
export function tagOf(value: Json | undefined): string | null {
  return isPythonTruthy(value) ? scalarText("tag", value ?? null) : null;
}

/** A list of tags; empty when it is absent or null. Throws a StepError. */
export function tagsOf(value: Json | undefined): readonly string[] {
  if (!isPythonTruthy(value)) return [];
  if (!Array.isArray(value)) throw wrong("additional_tags", "a list of texts", value ?? null);
  return value.map((item: Json) => scalarText("additional_tags", item));
}

/** A list of texts, or a mapping to texts of which each pair becomes `KEY:VALUE`; empty when it is absent or null. */
export function textsOf(name: string, value: Json | undefined): readonly string[] {
  if (!isPythonTruthy(value)) return [];
  if (isJsonObject(value)) {
    return Object.entries(value).map(([key, item]) => `${key}:${scalarText(`${name}.${key}`, item)}`);
  }
  if (!Array.isArray(value)) throw wrong(name, "a list of texts", value ?? null);
  return value.map((item: Json) => scalarText(name, item));
}

/** A mapping to texts, numbers as Python writes them; empty when it is absent or null. Throws a StepError. */
export function mappingOf(name: string, value: Json | undefined): Readonly<Record<string, string>> {
  if (!isPythonTruthy(value)) return {};
  if (!isJsonObject(value)) throw wrong(name, "a mapping", value ?? null);
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, scalarText(`${name}.${key}`, item)]),
  );
}

/** The value of a docker-registry-credentials block, or such a mapping. Throws a StepError. */
export function credentialsOf(
  value: Json | undefined,
  registerSecret: (secret: string) => void,
): RegistryBlock | null {
  if ((value ?? null) === null) return null;
  if (!isJsonObject(value)) throw wrong("credentials", "a mapping", value ?? null);
  const text = (name: string): string => {
    const given = value[name];
    if (typeof given === "string" && given !== "") return given;
    throw new StepError(`The input 'credentials' lacks its '${name}'`, {
      hint: "Give {{ prefect.blocks.docker-registry-credentials.NAME }}, or username, password and registry_url.",
    });
  };
  const password = text("password");
  registerSecret(password);
  return { username: text("username"), password, registry_url: text("registry_url") };
}

/**
 * The name under which a step builds or pushes: one without a namespace gets the one of
 * PREFECT_DEFAULT_DOCKER_BUILD_NAMESPACE (prefect/utilities/dockerutils.py: split_repository_path). Throws for what cannot be a
 * name.
 */
export function fullImageName(written: string, env: Readonly<Record<string, string>>): string {
  const namespace =
    env["PREFECT_DEPLOYMENTS_DEFAULT_DOCKER_BUILD_NAMESPACE"] ??
    env["PREFECT_DEFAULT_DOCKER_BUILD_NAMESPACE"];
  const name = written.includes("/") || !namespace ? written : `${namespace}/${written}`;
  const { tag, digest } = parseImageReference(name);
  if (tag !== undefined || digest !== undefined) {
    throw new StepError(`The image_name '${written}' has a tag in it`, { hint: "Give the tag as `tag`." });
  }
  return name;
}

function scalarText(name: string, value: Json): string {
  if (value === null || Array.isArray(value) || isJsonObject(value)) throw wrong(name, "a text", value);
  return pythonStr(value);
}

function wrong(name: string, expected: string, value: Json): StepError {
  const actual = value === null ? "null" : pythonTypeName(value);
  return new StepError(`The input '${name}' must be ${expected}, not ${actual}`, {
    hint: "Correct it in prefect.yaml. A template without a value, such as {{ id.tag }}, leaves its input out.",
  });
}
