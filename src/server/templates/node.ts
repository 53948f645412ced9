/** Nodes of a parsed template, as the parser of @huggingface/jinja makes them: it does not export their types. */

interface Named {
  readonly type: "Identifier";
  readonly value: string;
}

interface Call {
  readonly type: "CallExpression";
  readonly callee: Node;
  readonly args: readonly Node[];
}

interface Operator {
  readonly value: string;
}

export type Node =
  | Named
  | Call
  | { readonly type: "Program"; readonly body: readonly Node[] }
  | { readonly type: "Comment" }
  | {
      readonly type: "If";
      readonly test: Node;
      readonly body: readonly Node[];
      readonly alternate: readonly Node[];
    }
  | ForNode
  | {
      readonly type: "Set";
      readonly assignee: Node;
      readonly value: Node | null;
      readonly body: readonly Node[];
    }
  | { readonly type: "FilterStatement"; readonly filter: Named | Call; readonly body: readonly Node[] }
  | { readonly type: "IntegerLiteral" | "FloatLiteral"; readonly value: number }
  | { readonly type: "StringLiteral"; readonly value: string }
  | { readonly type: "ArrayLiteral" | "TupleLiteral"; readonly value: readonly Node[] }
  | { readonly type: "ObjectLiteral"; readonly value: ReadonlyMap<Node, Node> }
  | {
      readonly type: "MemberExpression";
      readonly object: Node;
      readonly property: Node;
      readonly computed: boolean;
    }
  | { readonly type: "SliceExpression"; readonly start?: Node; readonly stop?: Node; readonly step?: Node }
  | { readonly type: "FilterExpression"; readonly operand: Node; readonly filter: Named | Call }
  | {
      readonly type: "TestExpression";
      readonly operand: Node;
      readonly negate: boolean;
      readonly test: Named;
    }
  | {
      readonly type: "BinaryExpression";
      readonly operator: Operator;
      readonly left: Node;
      readonly right: Node;
    }
  | { readonly type: "UnaryExpression"; readonly operator: Operator; readonly argument: Node }
  | { readonly type: "Ternary"; readonly condition: Node; readonly trueExpr: Node; readonly falseExpr: Node }
  | { readonly type: "SelectExpression"; readonly lhs: Node; readonly test: Node }
  | { readonly type: "KeywordArgumentExpression"; readonly key: Named; readonly value: Node };

export interface ForNode {
  readonly type: "For";
  readonly loopvar: Node;
  readonly iterable: Node;
  readonly body: readonly Node[];
  readonly defaultBlock: readonly Node[];
}

/** The nodes within a node, whatever their kind. */
export function childrenOf(node: Node): Node[] {
  return Object.values(node).flatMap((value: unknown) => {
    if (value instanceof Map) return [...value.keys(), ...value.values()].filter((item) => isNode(item));
    return (Array.isArray(value) ? value : [value]).filter((item) => isNode(item));
  });
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value;
}
