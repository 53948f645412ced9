import { describe, it } from "vitest";

import { Float } from "../../json/value.ts";
import { loadTemplates } from "./template.ts";
import { TimeValue } from "./time-value.ts";

const { namesIn, problem, render } = await loadTemplates();

describe("templates", () => {
  it("give Python's texts of values", ({ expect }) => {
    const names = {
      a: [1, new Float(2), null, true, "it's"],
      at: new TimeValue("2026-01-02T03:04:05.060000Z"),
    };
    expect(render("{{ a }} {{ a | tojson }} {{ at }} {{ none }} {{ nothing.at.all }}|", names)).toBe(
      `[1, 2.0, None, True, "it's"] [1, 2.0, null, true, "it\\u0027s"] 2026-01-02 03:04:05.060000+00:00 None |`,
    );
  });

  it("loop, choose and calculate", ({ expect }) => {
    const template =
      "{% for row in rows if row.n > 1 %}{{ loop.index }}:{{ row.name | upper }}{% if not loop.last %}, {% endif %}{% endfor %}";
    const rows = [{ n: 1 }, { n: 2, name: "b" }, { n: 3, name: "c" }];
    expect(render(template, { rows })).toBe("1:B, 2:C");
    expect(render("{{ 7 // 2 }} {{ 7 / 2 }} {{ -7 % 3 }} {{ 'a' ~ 1 }}", {})).toBe("3 3.5 2 a1");
  });

  it("see nothing but what they are given", ({ expect }) => {
    for (const template of [
      "{{ x.constructor }}",
      "{{ x['__proto__'] }}",
      "{{ x.toString }}",
      "{{ constructor }}",
      "{{ 'a'.constructor }}",
      "{{ [1].map }}",
    ])
      expect(render(template, { x: {} })).toBe("");
    expect(() => render("{{ x | constructor }}", { x: 1 })).toThrow("No filter named 'constructor'");
  });

  it("say what is wrong before they are used", ({ expect }) => {
    expect(problem("{{ x | nofilter }}")).toBe("No filter named 'nofilter'.");
    expect(problem("{% if x %}")).toBe("unexpected end of template");
    expect(problem("{{ x }")).toBeDefined();
    expect(problem("no template {")).toBeUndefined();
    expect(problem("{{ x.y | default('z') }}")).toBeUndefined();
  });

  it("cannot fill the memory", ({ expect }) => {
    expect(() => render("{{ 'x' * 100000000 }}", {})).toThrow("A text of more than");
    expect(() => render("{{ range(101) }}", {})).toThrow("Range too big");
  });

  it("tell which names they use", ({ expect }) => {
    expect([
      ...namesIn("{{ flow_run.name }}{% if variables.a %}{{ event | d(deployment) }}{% endif %}"),
    ]).toEqual(expect.arrayContaining(["flow_run", "variables", "event", "deployment"]));
  });
});
