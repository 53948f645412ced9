import { coerceError } from "../../errors.ts";
import { renderNodes } from "./evaluate.ts";
import { FILTERS } from "./filters.ts";
import { childrenOf } from "./node.ts";
import { TESTS } from "./tests.ts";
import { Callable, numberOf } from "./value.ts";

import type { Node } from "./node.ts";
import type { Value } from "./value.ts";

const MAX_LOOPS = 10;
const MAX_LOOP_DEPTH = 2;
const MAX_RANGE = 100;

/** Jinja templates of users. */
export interface Templates {
  /** What is wrong with a template; undefined when nothing is. */
  readonly problem: (template: string) => string | undefined;
  /** The text of a template. Throws with what is wrong. */
  readonly render: (template: string, names: Readonly<Record<string, Value>>) => string;
  /** The names that a template uses. */
  readonly namesIn: (template: string) => Set<string>;
}

/** Whether a text can be a template at all. */
export function isTemplate(text: string): boolean {
  return text.includes("{{") || text.includes("{%");
}

/**
 * Loads what renders the Jinja templates of users. They see only what they are given, and can keep the server busy no longer than
 * on Prefect's (prefect/server/utilities/user_templates.py). Texts of values are Python's: `True`, `None`, `{'a': 1}`.
 */
export async function loadTemplates(): Promise<Templates> {
  const { parse, tokenize } = await import("@huggingface/jinja");

  function read(template: string): Node {
    try {
      return parse(tokenize(template)) as Node;
    } catch (thrown) {
      // Beyond its end the parser finds nothing to read.
      if (thrown instanceof TypeError) throw new SyntaxError("unexpected end of template", { cause: thrown });
      throw thrown;
    }
  }

  return {
    problem(template) {
      if (!isTemplate(template)) return undefined;
      try {
        const program = read(template);
        checkLoops(program);
        checkNames(program);
        return undefined;
      } catch (thrown) {
        return coerceError(thrown).message;
      }
    },
    render(template, names) {
      if (!isTemplate(template)) return template;
      const program = read(template);
      checkLoops(program);
      const scope = [new Map<string, Value>(), new Map(Object.entries(names)), GLOBALS];
      return renderNodes(program.type === "Program" ? program.body : [program], scope);
    },
    namesIn(template) {
      const names = new Set<string>();
      const collect = (node: Node): void => {
        if (node.type === "Identifier") names.add(node.value);
        for (const child of childrenOf(node)) collect(child);
      };
      if (isTemplate(template)) collect(read(template));
      return names;
    },
  };
}

const GLOBALS = new Map<string, Value>([
  ["true", true],
  ["True", true],
  ["false", false],
  ["False", false],
  ["none", null],
  ["None", null],
  ["range", new Callable((bounds) => range(bounds.map((bound) => numberOf(bound))))],
]);

function range(bounds: readonly number[]): number[] {
  const [start, end] = bounds.length > 1 ? [bounds[0] ?? 0, bounds[1] ?? 0] : [0, bounds[0] ?? 0];
  const step = bounds[2] ?? 1;
  const length = Math.max(0, Math.ceil((end - start) / step));
  if (!(length <= MAX_RANGE))
    throw new RangeError(`Range too big. Templates may hold ranges of ${MAX_RANGE} numbers.`);
  return Array.from({ length }, (_, index) => start + index * step);
}

function checkLoops(program: Node): void {
  let loops = 0;
  const depthOf = (node: Node): number => {
    const isLoop = node.type === "For";
    if (isLoop) loops += 1;
    const deepest = Math.max(0, ...childrenOf(node).map((child) => depthOf(child)));
    return deepest + (isLoop ? 1 : 0);
  };
  const depth = depthOf(program);
  if (loops > MAX_LOOPS) throw new RangeError(`A template may hold ${MAX_LOOPS} for loops, not ${loops}.`);
  if (depth > MAX_LOOP_DEPTH)
    throw new RangeError(`For loops of a template may be nested ${MAX_LOOP_DEPTH} deep, not ${depth}.`);
}

function checkNames(node: Node): void {
  if (node.type === "FilterExpression" || node.type === "FilterStatement") {
    const named = node.filter.type === "CallExpression" ? node.filter.callee : node.filter;
    const name = named.type === "Identifier" ? named.value : "";
    if (!Object.hasOwn(FILTERS, name)) throw new SyntaxError(`No filter named '${name}'.`);
  }
  if (node.type === "TestExpression" && !Object.hasOwn(TESTS, node.test.value))
    throw new SyntaxError(`No test named '${node.test.value}'.`);
  for (const child of childrenOf(node)) checkNames(child);
}
