import { describe, it } from "vitest";

import { parseJson } from "../json/parse.ts";
import { Float } from "../json/value.ts";
import { applyValues, NOT_SET } from "./apply-values.ts";
import { TemplateError } from "./errors.ts";
import { findAllPlaceholders } from "./placeholders.ts";

import type { Json, JsonObject } from "../json/value.ts";

const VALUES: JsonObject = {
  name: "bob",
  e: "",
  none: null,
  t: true,
  f: new Float(1),
  big: 2n ** 64n,
  obj: { k: [{ x: "z" }, { x: "y" }], "1": "digit", "a.b": "dot" },
  lst: ["a", 1],
  text: "a😀b",
  ref: "{{ name }}",
  "build-image": { image: "r/i:t" },
  ünï: "uni",
};
const ENV = { HOME: "/home/u", NUM: "5" };

function apply(template: Json, options: object = {}): Json | typeof NOT_SET {
  return applyValues(template, VALUES, { env: ENV, ...options });
}

describe("applyValues", () => {
  it.for([
    ["", ""],
    ["plain", "plain"],
    ["{{ name }}", "bob"],
    ["{{name}}", "bob"],
    ["{{ e }}", ""],
    ["{{ none }}", null],
    ["{{ f }}", new Float(1)],
    ["{{ obj.k }}", [{ x: "z" }, { x: "y" }]],
    ["{{ missing }}", NOT_SET],
    ["x{{ missing }}y", "xy"],
    [" {{ none }}", " None"],
    ["{{ t }}{{ t }}", "TrueTrue"],
    ["v={{ f }}", "v=1.0"],
    ["v={{ big }}", "v=18446744073709551616"],
    ["v={{ lst }}", "v=['a', 1]"],
    ["{{ obj.k.1.x }}", "y"],
    ["{{ obj.k[1].x }}", "y"],
    ["{{ obj.k[-1].x }}", "y"],
    ["{{ obj.k[0_1].x }}", "y"],
    ["{{ obj.k[٠].x }}", "z"],
    ["{{ obj.1 }}", NOT_SET],
    ["{{ obj.a.b }}", NOT_SET],
    ["{{ obj..k }}", NOT_SET],
    ["{{ text[1] }}", "😀"],
    ["{{ name.9 }}", NOT_SET],
    ["{{ lst.length }}", NOT_SET],
    ["{{ toString }}", NOT_SET],
    ["{{ __proto__ }}", NOT_SET],
    ["{{ build-image.image }}", "r/i:t"],
    ["{{ ünï }}", "uni"],
    ["{{ $HOME }}", "/home/u"],
    ["{{ $$NUM }}", "5"],
    ["{{ $NOPE }}", ""],
    ["{{ $toString }}", ""],
    ["{{ HOME }}", NOT_SET],
    ["{{{ name }}}", "{bob}"],
    ["{{ a b }}", "{{ a b }}"],
    ["{{\u001cname\u0085}}", "bob"],
    ["{{\ufeffname}}", "{{\ufeffname}}"],
    ["{{ ref }}", "{{ name }}"],
    ["{{ ref }}{{ name }}", "{{ name }}bob"],
    ["{{ prefect.variables.v }}", "{{ prefect.variables.v }}"],
    ["{{ prefect.blocks.a.b }}{{ name }}", "{{ prefect.blocks.a.b }}bob"],
  ] as [string, Json | typeof NOT_SET][])("turns %j into %j", ([template, expected], { expect }) => {
    expect(apply(template)).toEqual(expected);
  });

  it("drops what has no value from mappings and lists", ({ expect }) => {
    const template = {
      a: "{{ missing }}",
      l: ["{{ missing }}", "x{{ missing }}"],
      e: "{{ $NOPE }}",
      "{{ name }}": 1,
    };
    expect(apply(template)).toEqual({ l: ["x"], e: "", "{{ name }}": 1 });
    expect(apply(template, { removeNotset: false })).toEqual({ ...template, l: ["x{{ missing }}"] });
  });

  it("leaves placeholders with a skipped prefix", ({ expect }) => {
    const template = { a: "{{ ctx.foo }}", b: "{{ missing }}", c: "{{ ctx.foo }}{{ name }}" };
    expect(apply(template, { skipPrefixes: ["ctx."] })).toEqual({
      a: "{{ ctx.foo }}",
      c: "{{ ctx.foo }}bob",
    });
  });

  it("tells each missing name with its place", ({ expect }) => {
    const missing: string[] = [];
    const onNotset = ({ name }: { name: string }, path: string): unknown => missing.push(`${path} ${name}`);
    apply({ env: { A: "{{ x }}" }, l: [1, "-{{ y.z }}{{ $NOPE }}"], ok: "{{ none }}" }, { onNotset });
    expect(missing).toEqual(["env.A x", "l[1] y.z", "l[1] $NOPE"]);
  });

  it("refuses what is no JSON and names its type and place", ({ expect }) => {
    const strange = (value: unknown): Json => ({ pull: [{ when: value }] }) as unknown as Json;
    for (const [value, type] of [
      [new Date(), "Date"],
      [new Set(), "Set"],
      [undefined, "undefined"],
      [() => 1, "function"],
    ] as [unknown, string][]) {
      expect(() => apply(strange(value))).toThrow(`pull[0].when: Unexpected template type '${type}'`);
    }
    expect(() => apply(strange(new Date()))).toThrow(TemplateError);
  });

  it("changes neither template nor values", ({ expect }) => {
    const freeze = <T>(value: T): T => {
      if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(freeze);
      return value;
    };
    const template = freeze({
      a: ["{{ obj }}", { b: "{{ missing }}" }],
      c: "x{{ name }}",
      d: { "env.X": null },
    });
    const values = freeze({ obj: { k: [1] }, name: "n" });
    const before = JSON.stringify([template, values]);
    expect(applyValues(template, values, { env: {} })).toEqual({
      a: [{ k: [1] }, {}],
      c: "xn",
      d: { "env.X": null },
    });
    expect(JSON.stringify([template, values])).toBe(before);
  });

  it("cannot be used to pollute prototypes", ({ expect }) => {
    const template = parseJson(
      '{"__proto__": {"polluted": "{{ x }}"}, "constructor": {"prototype": {"polluted": "{{ x }}"}}}',
    );
    const result = apply(template, {});
    expect(Object.getPrototypeOf(result)).toBe(Object.prototype);
    expect(Object.keys(result as object)).toEqual(["__proto__", "constructor"]);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect(apply(parseJson('{"a": "{{ __proto__.toString }}", "b": "{{ obj.constructor.name }}"}'))).toEqual(
      {},
    );
  });

  it.for([
    ["open braces", "{{ ".repeat(350_000)],
    ["braces only", "{".repeat(1_000_000)],
    ["blanks", `{{${" ".repeat(1_000_000)}`],
    ["names without an end", "{{a".repeat(350_000)],
    ["a name without an end", `{{ ${"a.".repeat(500_000)}`],
    ["blanks behind names", `{{a${" ".repeat(100)}`.repeat(10_000)],
    ["placeholders", "{{ name }}".repeat(100_000)],
    ["different placeholders", Array.from({ length: 60_000 }, (_, index) => `{{ n${index} }} `).join("")],
  ] as const)("takes time in proportion to 1 MB of %s", ([, text], { expect }) => {
    const started = performance.now();
    expect(typeof apply(text)).toBe("string");
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

it("finds all placeholders once, in order, with their kinds", ({ expect }) => {
  const template = {
    a: ["{{ x }}{{x}} {{ x }}", { b: "{{ $E }}" }],
    c: "{{ prefect.blocks.s.n }} {{ prefect.variables.v }}",
    "{{ key }}": 1,
  };
  expect(findAllPlaceholders(template).map(({ text, kind }) => `${kind} ${text}`)).toEqual([
    "standard {{ x }}",
    "standard {{x}}",
    "env {{ $E }}",
    "block {{ prefect.blocks.s.n }}",
    "variable {{ prefect.variables.v }}",
  ]);
});
