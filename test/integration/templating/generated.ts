import { parseJson } from "../../../src/json/parse.ts";
import { Float } from "../../../src/json/value.ts";
import { createRandom } from "../../support/random.ts";
import { BLOCKS, ENV, VALUES, VARIABLES } from "./data.ts";

import type { Json, JsonObject } from "../../../src/json/value.ts";
import type { TemplatingCase } from "./data.ts";

/** Random templates over the same values, blocks and variables. */
export function generatedCases(seed: number, count: number): TemplatingCase[] {
  const random = createRandom(seed);
  const pick = <T>(choices: readonly T[]): T => choices[random(choices.length)] as T;
  const spaces = ["", " ", " ", " ", "  ", "\n", "\t", "\u00a0", "\u2003"];
  const plain = ["x", "v=", " ", "\n", "-", "é", "😀", "it's", '"', "\\", "${HOME}", "{% if %}", "$", "%s"];
  const braces = ["{", "}", "{{", "}}", "{{ a b }}", "{{}}", "{{ a|b }}", "}{"];
  const parts = [
    "a",
    "k",
    "0",
    "1",
    "-1",
    "01",
    "x",
    "nested",
    "d",
    "e",
    "q",
    "",
    "٣",
    "image",
    "tag",
    "value",
    "key",
  ];
  const standard = (): string => {
    let path = pick(
      [...Object.keys(VALUES), "missing", "nope"].filter(
        (name) => !name.startsWith("$") && /^[\w-]+$/u.test(name),
      ),
    );
    for (let depth = random(4); depth > 1; depth -= 1)
      path += random(2) === 0 ? `.${pick(parts)}` : `[${pick(parts)}]`;
    return path;
  };
  const env = (): string => `$${pick([...Object.keys(ENV), "NOPE", "$HOME"])}`;
  const block = (): string =>
    `prefect.blocks.${pick(Object.keys(BLOCKS)).replace("/", ".")}${pick(["", "", ".value", ".key", ".0", ".other.deep[0]", "[0]"])}`;
  const variable = (): string => `prefect.variables.${pick([...Object.keys(VARIABLES), "nope"])}`;
  const spelled = (name: string): string => `{{${pick(spaces)}${name}${pick(spaces)}}}`;

  // Prefect replaces a text's placeholders one after the other, in the order of a set. Where braces beside them or values
  // with placeholders in them (job variables) could let one replacement see another's outcome, only one is put in, so that
  // there is but one right answer.
  const text = (kinds: readonly (() => string)[]): string => {
    if (random(3) === 0) return spelled(pick(kinds)());
    if (random(4) === 0) return [pick(braces), spelled(pick(kinds)()), pick(braces), pick(plain)].join("");
    let isValueIn = false;
    const fragment = (): string => {
      const name = pick(kinds)();
      const isReference = name.startsWith("prefect.") && name.includes(".", 8);
      if (random(2) === 0 || (isValueIn && kinds === jobVariableKinds && !isReference)) return pick(plain);
      isValueIn ||= !isReference;
      return spelled(name);
    };
    return Array.from({ length: 1 + random(5) }, fragment).join("");
  };
  const tree = (depth: number, kinds: readonly (() => string)[]): Json => {
    const choice = random(depth === 0 ? 6 : 12);
    if (choice < 5) return text(kinds);
    if (choice === 5)
      return pick<Json>([
        null,
        true,
        false,
        0,
        7,
        new Float(1),
        new Float(1e16),
        0.25,
        2n ** 65n,
        "plain",
        pick(Object.values(VALUES)),
      ]);
    if (choice < 9) return Array.from({ length: random(4) }, () => tree(depth - 1, kinds));
    return parseJson(
      `{${[...new Set(Array.from({ length: random(4) }, () => pick(["k", "l", "env", "A", "7", "0", "{{ a }}", "__proto__", "ü"])))].map((key) => `${JSON.stringify(key)}: ${JSON.stringify(text(kinds))}`).join(",")}}`,
    );
  };
  const mapping = (keys: readonly string[], kinds: readonly (() => string)[]): JsonObject => {
    const entries = keys
      .filter(() => random(3) === 0)
      .map((key): [string, Json] => [
        key,
        key.startsWith("env") && !key.includes(".") ? environment(kinds) : tree(1, kinds),
      ]);
    return Object.fromEntries(entries);
  };
  const environment = (kinds: readonly (() => string)[]): Json =>
    random(12) === 0
      ? pick<Json>([null, "text", {}])
      : Object.fromEntries(
          ["A", "B", "C", "D"]
            .filter(() => random(2) === 0)
            .map((key) => [key, random(5) === 0 ? null : text(kinds)]),
        );

  const jobNames = ["env", "image", "command", "cfg", "x", "env.A", "env.E", "cfg.a.b", "cfg.c", "y"];
  const jobVariableKinds = [block, variable, (): string => pick(jobNames), env];
  const all = [standard, standard, standard, env, block, variable];
  const cases: TemplatingCase[] = [];
  for (let index = 0; index < count; index += 1) {
    switch (index % 5) {
      case 0:
      case 1:
        cases.push({
          fn: "apply",
          template: tree(3, all),
          values: VALUES,
          env: ENV,
          remove_notset: random(3) > 0,
          skip_prefixes: pick<Json>([null, [], ["ctx."], ["a", "prefect."]]),
        });
        break;
      case 2:
        cases.push({ fn: "blocks", template: tree(2, [block, variable, standard]), blocks: BLOCKS });
        break;
      case 3:
        cases.push({ fn: "variables", template: tree(2, [variable, block, standard]), variables: VARIABLES });
        break;
      default: {
        const template = mapping(["env", "command", "image", "x", "name", "cfg"], jobVariableKinds);
        const defaults = mapping(["env", "image", "x", "cfg"], jobVariableKinds);
        const properties = Object.entries(defaults).map(([key, value]): [string, Json] => [
          key,
          { default: value },
        ]);
        cases.push({
          fn: "job",
          base: { job_configuration: template, variables: { properties: Object.fromEntries(properties) } },
          deployment: mapping(jobNames, jobVariableKinds),
          run: mapping(jobNames, jobVariableKinds),
          env: ENV,
          blocks: BLOCKS,
          variables: VARIABLES,
        });
      }
    }
  }
  return cases;
}
