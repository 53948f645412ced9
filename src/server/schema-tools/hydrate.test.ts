import { describe, it } from "vitest";

import { hydrate } from "./hydrate.ts";
import { loadTemplates } from "../templates/template.ts";

import type { JsonObject } from "../../json/value.ts";

const templates = await loadTemplates();
const render = (template: string) => templates.render(template, {});

function filled(parameters: JsonObject): JsonObject {
  return hydrate(parameters, { render, variable: (name) => (name === "answer" ? { n: 42 } : undefined) });
}

describe("hydrate", () => {
  it("fills in JSON, templates, variables and plain values, in whatever depth", ({ expect }) => {
    expect(
      filled({
        json: { __prefect_kind: "json", value: '{"a": [1]}' },
        jinja: [{ __prefect_kind: "jinja", template: "{{ 1 + 1 }}{% if x %}no{% endif %}" }],
        variable: { deep: { __prefect_kind: "workspace_variable", variable_name: "answer" } },
        none: { __prefect_kind: "none", value: { __prefect_kind: "json", value: "true" } },
        nested: { __prefect_kind: "json", value: { __prefect_kind: "jinja", template: "[{{ 7 }}]" } },
        other: { __prefect_kind: "what", value: 3 },
        plain: null,
      }),
    ).toEqual({
      json: { a: [1] },
      jinja: ["2"],
      variable: { deep: { n: 42 } },
      none: true,
      nested: [7],
      other: 3,
      plain: null,
    });
  });

  it("leaves out what names nothing", ({ expect }) => {
    expect(
      filled({ a: { __prefect_kind: "json" }, b: [{ __prefect_kind: "workspace_variable" }], c: 1 }),
    ).toEqual({ b: [], c: 1 });
  });

  it.for([
    [{ __prefect_kind: "json", value: "{" }, "Invalid JSON: "],
    [{ __prefect_kind: "jinja", template: "{{ 1" }, "Invalid jinja: "],
    [{ __prefect_kind: "jinja", template: "{{ x() }}" }, "Invalid jinja: "],
    [{ __prefect_kind: "jinja" }, "Missing 'template' key in __prefect object"],
    [{ __prefect_kind: "none" }, "Missing 'value' key in __prefect object"],
    [{ __prefect_kind: "workspace_variable", variable_name: "no" }, "Variable 'no' not found in workspace."],
  ] as const)("says why %j cannot be filled in", ([value, message], { expect }) => {
    expect(() => filled({ a: value })).toThrow(message);
  });

  it.for([
    ["{% for i in range(0, 1000) %}{% endfor %}", "Range too big"],
    [
      "{% for i in [1] %}{% for j in [1] %}{% for k in [1] %}{% endfor %}{% endfor %}{% endfor %}",
      "nested 2 deep, not 3",
    ],
    ["{% for i in [1] %}{% endfor %}".repeat(11), "10 for loops, not 11"],
  ] as const)("lets no template keep the server busy: %s", ([template, message], { expect }) => {
    expect(() => filled({ a: { __prefect_kind: "jinja", template } })).toThrow(message);
  });
});
