import { textIn } from "../../../json/object.ts";
import { isJsonObject } from "../../../json/value.ts";
import { parseTimestamp } from "../../store/timestamp.ts";
import { TimeValue } from "../../templates/time-value.ts";
import { TemplateObject } from "../../templates/value.ts";

import type { Json, JsonObject } from "../../../json/value.ts";
import type { Value } from "../../templates/value.ts";
import type { UiAddresses } from "./ui-addresses.ts";

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:?\d\d)$/;

interface Addresses {
  readonly uiUrl: string | null;
  readonly uiEventsUrl: string | null;
}

const NO_ADDRESSES: Addresses = { uiUrl: null, uiEventsUrl: null };

/** An object of the API in a template: its fields are attributes, its times have the texts of Python's. */
export class ModelValue extends TemplateObject {
  protected readonly json: JsonObject;
  override readonly uiUrl: string | null;
  override readonly uiEventsUrl: string | null;

  constructor(json: JsonObject, addresses: Addresses = NO_ADDRESSES) {
    super();
    this.json = json;
    this.uiUrl = addresses.uiUrl;
    this.uiEventsUrl = addresses.uiEventsUrl;
  }

  attribute(name: string): Value | undefined {
    if (!Object.hasOwn(this.json, name)) return undefined;
    const value = this.json[name] ?? null;
    if (typeof value === "string" && TIME.test(value)) return new TimeValue(parseTimestamp(value));
    return NESTED.has(name) && isJsonObject(value) ? new ModelValue(value) : value;
  }

  toJson(): Json {
    return this.json;
  }
}

/** Fields that hold objects of the API, not just mappings. */
const NESTED = new Set(["state", "state_details", "trigger", "firing", "created_by"]);

/** An event in a template (prefect: Event). */
export class EventValue extends ModelValue {
  readonly #ui: UiAddresses;

  constructor(json: JsonObject, ui: UiAddresses) {
    const uiUrl = ui.eventUrl(textIn(json, "occurred") ?? "", textIn(json, "id") ?? "");
    super(json, { uiUrl, uiEventsUrl: null });
    this.#ui = ui;
  }

  override attribute(name: string): Value | undefined {
    const { resource, related } = this.json;
    const others = (Array.isArray(related) ? (related as readonly Json[]) : [])
      .filter((item) => isJsonObject(item))
      .map((item) => new ResourceValue(item, this.#ui));
    const own = new ResourceValue(isJsonObject(resource) ? resource : {}, this.#ui);
    switch (name) {
      case "url":
        return this.uiUrl;
      case "resource":
        return own;
      case "related":
        return others;
      case "involved_resources":
        return [own, ...others];
      case "resource_in_role":
        return Object.fromEntries(others.toReversed().map((item) => [item.role, item]));
      case "resources_in_role":
        return Object.fromEntries(
          others.map(({ role }) => [role, others.filter((other) => other.role === role)]),
        );
      default:
        return super.attribute(name);
    }
  }
}

/** A resource of an event: its labels are items; `id`, `name`, `role` and the labels as a tree are attributes. */
class ResourceValue extends TemplateObject {
  readonly #labels: JsonObject;
  override readonly uiEventsUrl: string | null;

  constructor(labels: JsonObject, ui: UiAddresses) {
    super();
    this.#labels = labels;
    this.uiEventsUrl = ui.resourceEventsUrl(textIn(labels, "prefect.resource.id") ?? "");
  }

  get role(): string {
    return textIn(this.#labels, "prefect.resource.role") ?? "";
  }

  attribute(name: string): Value | undefined {
    if (name === "labels") return new LabelsValue(this.#labels);
    if (name === "id" || name === "name" || name === "role")
      return this.item(`prefect.resource.${name}`) ?? null;
    return undefined;
  }

  override item(key: Value): Value | undefined {
    return typeof key === "string" && Object.hasOwn(this.#labels, key) ? this.#labels[key] : undefined;
  }

  toJson(): Json {
    return this.#labels;
  }
}

/** Labels as a tree: `labels.prefect.resource.id` (prefect: LabelDiver). */
export class LabelsValue extends TemplateObject {
  readonly #labels: JsonObject;
  readonly #text: string;

  constructor(labels: JsonObject, text = "") {
    super();
    this.#labels = labels;
    this.#text = text;
  }

  attribute(name: string): Value | undefined {
    const below = Object.entries(this.#labels)
      .filter(([label]) => label.startsWith(`${name}.`))
      .map(([label, value]) => [label.slice(name.length + 1), value] as const);
    const own = Object.hasOwn(this.#labels, name) ? this.#labels[name] : undefined;
    if (below.length === 0 && own === undefined) return undefined;
    return new LabelsValue(Object.fromEntries(below), typeof own === "string" ? own : "");
  }

  override item(key: Value): Value | undefined {
    return typeof key === "string" && Object.hasOwn(this.#labels, key) ? this.#labels[key] : undefined;
  }

  override toText(): string {
    return this.#text;
  }

  toJson(): Json {
    return Object.keys(this.#labels).length === 0 ? this.#text : this.#labels;
  }
}
