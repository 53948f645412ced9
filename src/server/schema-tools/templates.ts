const MAX_RANGE = 100;
const MAX_LOOPS = 10;
const MAX_LOOP_DEPTH = 2;

const GLOBALS: Readonly<Record<string, unknown>> = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
  range: shortRange,
};

/**
 * Loads what renders the Jinja templates of users, which are given no values. Like Prefect's server it lets none keep it busy
 * (prefect/server/utilities/user_templates.py): the renderer throws with what is wrong.
 */
export async function loadTemplates(): Promise<(template: string) => string> {
  const { Environment, Interpreter, parse, tokenize } = await import("@huggingface/jinja");
  return (template) => {
    if (!template.includes("{{") && !template.includes("{%")) return template;
    const program = parse(tokenize(template));
    refuseBusyLoops(program);
    const names = new Environment();
    for (const [name, value] of Object.entries(GLOBALS)) names.set(name, value);
    const result = new Interpreter(names).run(program);
    return result.type === "StringValue" ? String(result.value) : result.toString();
  };
}

/** Jinja's `range`. */
function shortRange(...bounds: readonly number[]): number[] {
  const [start, end] = bounds.length > 1 ? [bounds[0] ?? 0, bounds[1] ?? 0] : [0, bounds[0] ?? 0];
  const step = bounds[2] ?? 1;
  const length = Math.max(0, Math.ceil((end - start) / step));
  if (!(length <= MAX_RANGE))
    throw new RangeError(`Range too big. Templates may hold ranges of ${MAX_RANGE} numbers.`);
  return Array.from({ length }, (_, index) => start + index * step);
}

function refuseBusyLoops(program: unknown): void {
  let loops = 0;
  const depth = (node: unknown): number => {
    if (typeof node !== "object" || node === null) return 0;
    const isLoop = "type" in node && node.type === "For";
    if (isLoop) loops += 1;
    const deepest = Math.max(0, ...Object.values(node).map((child) => depth(child)));
    return deepest + (isLoop ? 1 : 0);
  };
  const deepest = depth(program);
  if (loops > MAX_LOOPS) throw new RangeError(`A template may hold ${MAX_LOOPS} for loops, not ${loops}.`);
  if (deepest > MAX_LOOP_DEPTH)
    throw new RangeError(`For loops of a template may be nested ${MAX_LOOP_DEPTH} deep, not ${deepest}.`);
}
