import { entriesOf, objectOf, ownValue } from "../json/object.ts";
import { isPythonTruthy, pythonRepr, pythonStr, pythonTypeName } from "../json/python.ts";
import { isJsonObject } from "../json/value.ts";
import { TemplateError } from "./errors.ts";
import { lookUp } from "./keypath.ts";
import { blockReferenceOf, findPlaceholders, replacePlaceholders } from "./placeholders.ts";
import { itemPath, memberPath } from "./template-path.ts";

import type { Json } from "../json/value.ts";
import type { Placeholder } from "./placeholders.ts";

/** Reads block documents: their `data` with secrets included, or undefined when there is no such document. */
export interface BlockLookup {
  block(typeSlug: string, documentName: string): Promise<Json | undefined>;
  blockById(documentId: string): Promise<Json | undefined>;
}

export interface ResolveBlockReferencesOptions {
  /**
   * Called with every text, not empty, that a block put into the result, alone or within a mapping or list: register it
   * for redaction. Numbers and booleans are not reported, as hiding `1` or `True` everywhere would spoil every log.
   */
  readonly onSecret?: (text: string) => void;
  /** Changes each value that a block supplied before it is put in; `maskSecret` hides it. */
  readonly transform?: (value: Json) => Json;
}

/**
 * Replaces `{{ prefect.blocks.<type>.<document>[.key.path] }}` and `{"$ref": {"block_document_id": id}}`, bit for bit as
 * prefect.utilities.templating.resolve_block_document_references of Prefect 3.8.8. A placeholder that is the whole text
 * becomes the value with its type; within other text it becomes the value's Python text, and a list or mapping is refused.
 * A document whose only key is `value` stands for that value; with `$ref` the whole data is taken as it is.
 * Every document is read once per call. Other placeholders stay. Rejects with a TemplateError when a document or a key in it
 * is missing, and with whatever the lookup rejects with.
 */
export async function resolveBlockReferences(
  template: Json,
  lookup: BlockLookup,
  options: ResolveBlockReferencesOptions = {},
): Promise<Json> {
  const byName = new Map<string, Promise<Json | undefined>>();
  const byId = new Map<string, Promise<Json | undefined>>();
  return await resolve(template, "");

  async function resolve(value: Json, path: string): Promise<Json> {
    if (typeof value === "string") return await resolveText(value, path);
    if (Array.isArray(value)) {
      const items: Json[] = [];
      for (const [index, item] of (value as readonly Json[]).entries()) {
        items.push(await resolve(item, itemPath(path, index)));
      }
      return items;
    }
    if (!isJsonObject(value)) return value;
    const documentId = documentIdOf(ownValue(value, "$ref"), path);
    if (documentId !== undefined) return supplied(await readById(documentId, path));
    const entries: [string, Json][] = [];
    for (const [key, item] of entriesOf(value)) {
      entries.push([key, await resolve(item, memberPath(path, key))]);
    }
    return objectOf(entries);
  }

  async function resolveText(text: string, path: string): Promise<Json> {
    const placeholders = findPlaceholders(text).filter(({ kind }) => kind === "block");
    const [first] = placeholders;
    if (first === undefined) return text;
    if (first.text === text) return supplied(await readPlaceholder(first, path));
    const replacements = new Map<string, string>();
    for (const placeholder of placeholders) {
      const value = await readPlaceholder(placeholder, path);
      if (isJsonObject(value) || Array.isArray(value)) {
        throw new TemplateError(
          `block placeholder ${placeholder.text} gives a ${pythonTypeName(value)}, which cannot stand within other text`,
          {
            placeholder: placeholder.text,
            path,
            hint: "Name one of its keys, or let the placeholder be the whole text.",
          },
        );
      }
      replacements.set(placeholder.text, pythonStr(supplied(value)));
    }
    return replacePlaceholders(text, (placeholder) => replacements.get(placeholder.text));
  }

  async function readPlaceholder(placeholder: Placeholder, path: string): Promise<Json> {
    const [typeSlug = "", documentName, ...rest] = blockReferenceOf(placeholder).split(".");
    const keypath = rest.length === 0 ? undefined : rest.join(".");
    if (documentName === undefined) {
      throw new TemplateError(`invalid block placeholder ${placeholder.text}`, {
        placeholder: placeholder.text,
        path,
        hint: "Write {{ prefect.blocks.<block-type-slug>.<block-document-name> }}.",
      });
    }
    let data = await readByName(typeSlug, documentName, placeholder, path);
    const inner = isJsonObject(data) && Object.keys(data).length === 1 ? ownValue(data, "value") : undefined;
    if (inner !== undefined && !/^value(?:$|[.[])/.test(keypath ?? "")) data = inner;
    if (keypath === undefined) return data;
    const value = lookUp(data, keypath);
    if (value === undefined) {
      throw new TemplateError(
        `block document '${documentName}' of type '${typeSlug}' has no '${keypath}', which ${placeholder.text} asks for`,
        {
          placeholder: placeholder.text,
          path,
          hint: "Compare the keys behind the document's name with the block's fields.",
        },
      );
    }
    return value;
  }

  async function readByName(
    typeSlug: string,
    name: string,
    placeholder: Placeholder,
    path: string,
  ): Promise<Json> {
    const data =
      typeSlug === "" || name === ""
        ? undefined
        : await once(byName, `${typeSlug}.${name}`, async () => await lookup.block(typeSlug, name));
    if (data !== undefined) return data;
    throw new TemplateError(`Block not found: '${name}' of type '${typeSlug}'`, {
      placeholder: placeholder.text,
      path,
      hint: "It may have been deleted: create the block, or change the deployment or work pool that names it.",
    });
  }

  async function readById(documentId: string, path: string): Promise<Json> {
    const data = await once(byId, documentId, async () => await lookup.blockById(documentId));
    if (data !== undefined) return data;
    throw new TemplateError(`Block not found: ID '${documentId}'`, {
      path,
      hint: "It may have been deleted: create the block, or change the deployment or work pool that names it.",
    });
  }

  function supplied(value: Json): Json {
    if (options.onSecret !== undefined) reportTexts(value, options.onSecret);
    return options.transform === undefined ? value : options.transform(value);
  }
}

/** The id that a `$ref` names; undefined when it names none, and the mapping is an ordinary one. */
function documentIdOf(ref: Json | undefined, path: string): string | undefined {
  if (ref === undefined) return undefined;
  const hint = 'Write {"$ref": {"block_document_id": "<id>"}}.';
  if (!isJsonObject(ref)) {
    throw new TemplateError(`"$ref" is a ${pythonTypeName(ref)} instead of a mapping`, { path, hint });
  }
  const id = ownValue(ref, "block_document_id");
  if (!isPythonTruthy(id) || id === undefined) return undefined;
  if (typeof id === "string") return id;
  throw new TemplateError(`${pythonRepr(id)} is no block document id`, { path, hint });
}

async function once<T>(known: Map<string, Promise<T>>, key: string, read: () => Promise<T>): Promise<T> {
  const reading = known.get(key) ?? read();
  known.set(key, reading);
  return await reading;
}

/** Empty texts are left out: they hide nothing, and replacing them would spoil every line of a log. */
function reportTexts(value: Json, onSecret: (text: string) => void): void {
  if (typeof value === "string") {
    if (value !== "") onSecret(value);
  } else if (Array.isArray(value)) {
    for (const item of value as readonly Json[]) reportTexts(item, onSecret);
  } else if (isJsonObject(value)) {
    for (const item of Object.values(value)) reportTexts(item, onSecret);
  }
}
