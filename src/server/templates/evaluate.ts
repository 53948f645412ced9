import { objectOf } from "../../json/object.ts";
import { Float } from "../../json/value.ts";
import { FILTERS } from "./filters.ts";
import { compute } from "./operators.ts";
import { TESTS } from "./tests.ts";
import {
  Callable,
  UNDEFINED,
  attributeOf,
  firstOf,
  isTrue,
  itemOf,
  itemsOf,
  jsonOf,
  numberOf,
  textOfValue,
} from "./value.ts";

import type { ForNode, Node } from "./node.ts";
import type { Value } from "./value.ts";

/** Names and what they stand for; the innermost scope comes first. */
export type Scope = readonly Map<string, Value>[];

/** The text that a parsed template gives, with Python's texts of values. Throws with what is wrong. */
export function renderNodes(nodes: readonly Node[], scope: Scope): string {
  return nodes.map((node) => renderNode(node, scope)).join("");
}

function renderNode(node: Node, scope: Scope): string {
  switch (node.type) {
    case "Comment":
      return "";
    case "If":
      return renderNodes(isTrue(evaluate(node.test, scope)) ? node.body : node.alternate, scope);
    case "For":
      return renderLoop(node, scope);
    case "Set":
      assign(
        node.assignee,
        node.value === null ? renderNodes(node.body, scope) : evaluate(node.value, scope),
        scope,
      );
      return "";
    case "FilterStatement":
      return textOfValue(applyFilter(renderNodes(node.body, scope), node.filter, scope));
    default:
      return textOfValue(evaluate(node, scope));
  }
}

function renderLoop({ loopvar, iterable, body, defaultBlock }: ForNode, scope: Scope): string {
  const [source, condition] =
    iterable.type === "SelectExpression" ? [iterable.lhs, iterable.test] : [iterable, undefined];
  const scopes = itemsOf(evaluate(source, scope))
    .map((item): Scope => {
      const inner: Scope = [new Map<string, Value>(), ...scope];
      assign(loopvar, item, inner);
      return inner;
    })
    .filter((inner) => condition === undefined || isTrue(evaluate(condition, inner)));
  if (scopes.length === 0) return renderNodes(defaultBlock, scope);
  return scopes
    .map((inner, at) => {
      inner[0]?.set("loop", {
        index: at + 1,
        index0: at,
        revindex: scopes.length - at,
        revindex0: scopes.length - at - 1,
        first: at === 0,
        last: at === scopes.length - 1,
        length: scopes.length,
      });
      return renderNodes(body, inner);
    })
    .join("");
}

function assign(target: Node, value: Value, scope: Scope): void {
  if (target.type === "Identifier") scope[0]?.set(target.value, value);
  else if (target.type === "TupleLiteral") {
    const values = itemsOf(value);
    if (values.length !== target.value.length)
      throw new TypeError(`${target.value.length} values are needed, not ${values.length}`);
    for (const [at, part] of target.value.entries()) assign(part, values[at] ?? UNDEFINED, scope);
  } else throw new TypeError("Values can only be assigned to names");
}

function evaluate(node: Node, scope: Scope): Value {
  switch (node.type) {
    case "StringLiteral":
    case "IntegerLiteral":
      return node.value;
    case "FloatLiteral":
      return Number.isInteger(node.value) ? new Float(node.value) : node.value;
    case "ArrayLiteral":
    case "TupleLiteral":
      return node.value.map((item) => evaluate(item, scope));
    case "ObjectLiteral":
      return objectOf(
        [...node.value].map(([key, value]) => [
          textOfValue(evaluate(key, scope)),
          jsonOf(evaluate(value, scope)),
        ]),
      );
    case "Identifier":
      return firstOf(scope.find((names) => names.has(node.value))?.get(node.value));
    case "MemberExpression":
      return evaluateMember(node, scope);
    case "CallExpression": {
      const callee = evaluate(node.callee, scope);
      if (!(callee instanceof Callable)) throw new TypeError("What is called is no function");
      return callee.call(...evaluateArguments(node.args, scope));
    }
    case "FilterExpression":
      return applyFilter(evaluate(node.operand, scope), node.filter, scope);
    case "TestExpression": {
      const test = ownEntry(TESTS, node.test.value);
      if (test === undefined) throw new TypeError(`No test named '${node.test.value}'.`);
      return test(evaluate(node.operand, scope)) !== node.negate;
    }
    case "BinaryExpression": {
      const left = evaluate(node.left, scope);
      if (node.operator.value === "and") return isTrue(left) ? evaluate(node.right, scope) : left;
      if (node.operator.value === "or") return isTrue(left) ? left : evaluate(node.right, scope);
      return compute(node.operator.value, left, evaluate(node.right, scope));
    }
    case "UnaryExpression": {
      const value = evaluate(node.argument, scope);
      if (node.operator.value === "not") return !isTrue(value);
      return node.operator.value === "-" ? compute("*", value, -1) : value;
    }
    case "Ternary":
      return evaluate(isTrue(evaluate(node.condition, scope)) ? node.trueExpr : node.falseExpr, scope);
    case "SelectExpression":
      return isTrue(evaluate(node.test, scope)) ? evaluate(node.lhs, scope) : UNDEFINED;
    default:
      throw new TypeError(`This server does not know '${node.type}' in templates`);
  }
}

function evaluateMember(node: Extract<Node, { type: "MemberExpression" }>, scope: Scope): Value {
  const object = evaluate(node.object, scope);
  const { property } = node;
  if (property.type === "SliceExpression") return slice(object, property, scope);
  if (node.computed) return itemOf(object, evaluate(property, scope));
  return property.type === "Identifier"
    ? attributeOf(object, property.value)
    : itemOf(object, evaluate(property, scope));
}

function slice(
  object: Value,
  { start, stop, step }: Extract<Node, { type: "SliceExpression" }>,
  scope: Scope,
): Value {
  if (step !== undefined && numberOf(evaluate(step, scope)) !== 1)
    throw new TypeError("This server does not know slices with a step");
  const bound = (node: Node | undefined): number | undefined =>
    node === undefined ? undefined : numberOf(evaluate(node, scope));
  const [from, to] = [bound(start), bound(stop)];
  return typeof object === "string"
    ? Array.from(object).slice(from, to).join("")
    : itemsOf(object).slice(from, to);
}

function applyFilter(operand: Value, filter: Node, scope: Scope): Value {
  const named = filter.type === "CallExpression" ? filter.callee : filter;
  const name = named.type === "Identifier" ? named.value : "";
  const args = filter.type === "CallExpression" ? filter.args : [];
  const run = ownEntry(FILTERS, name);
  if (run === undefined) throw new TypeError(`No filter named '${name}'.`);
  return run(operand, ...evaluateArguments(args, scope));
}

function evaluateArguments(args: readonly Node[], scope: Scope): [Value[], Map<string, Value>] {
  const values: Value[] = [];
  const named = new Map<string, Value>();
  for (const arg of args) {
    if (arg.type === "KeywordArgumentExpression") named.set(arg.key.value, evaluate(arg.value, scope));
    else values.push(evaluate(arg, scope));
  }
  return [values, named];
}

function ownEntry<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
