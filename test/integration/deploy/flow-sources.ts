/** A module with a flow `f`. */
export interface FlowSource {
  readonly name: string;
  readonly text: string;
  /** Its source says all that Prefect would say. */
  readonly isPlain: boolean;
}

const FLOW = "from prefect import flow\n";

function plain(name: string, text: string): FlowSource {
  return { name, text, isPlain: true };
}

function doubtful(name: string, text: string): FlowSource {
  return { name, text, isPlain: false };
}

const decorated = (decorator: string): string => `${FLOW}@${decorator}\ndef f(n: int = 1):\n    return n\n`;
const taking = (parameters: string): string => `${FLOW}@flow\ndef f(${parameters}):\n    pass\n`;
const documented = (docstring: string): string =>
  `${FLOW}@flow\ndef f(n: int, name="x"):\n    ${docstring}\n    return n\n`;
const within = (before: string, after = ""): string =>
  `${FLOW}${before}\n@flow\ndef f(n: int = 1):\n    return n\n${after}\n`;

const TYPES = [
  "int",
  "float",
  "str",
  "bool",
  "list",
  "list[int]",
  "dict[str, float]",
  "list[dict[str, list[str]]]",
];
const DEFAULTS = [
  "None",
  "1",
  "-1",
  "2.5",
  "-0.0",
  "1e300",
  "True",
  "''",
  "'täxt'",
  "[]",
  "[1, -2.0, None]",
  "{}",
  "{'a': {'b': [True]}}",
];

const GENERATED = [
  ...TYPES,
  ...TYPES.map((type) => `${type} | None`),
  ...TYPES.map((type) => `Optional[${type}]`),
];

export const FLOW_SOURCES: readonly FlowSource[] = [
  plain(
    "every type with every default",
    `from typing import Optional\n${taking(
      [
        ...GENERATED.map((type, index) => `r${index}: ${type}`),
        ...GENERATED.flatMap((type, index) =>
          DEFAULTS.map((value, number) => `p${index}_${number}: ${type} = ${value}`),
        ),
        ...DEFAULTS.map((value, number) => `u${number}=${value}`),
        "*",
        "k: int",
        "l: str = 'z'",
        "m",
      ].join(", "),
    )}`,
  ),
  plain("no parameters", taking("")),
  plain("no types", taking("a, b=None")),
  plain("keyword-only parameters", taking("a: int, *, b: str, c: bool = False")),
  plain("asynchronous", `${FLOW}@flow\nasync def f(n: int = 1):\n    pass\n`),
  plain("a generator", `${FLOW}@flow\ndef f(n: int = 1):\n    yield n\n`),
  plain("a function of this name with underscores", `${FLOW}@flow\ndef f(a_b: str = "_"):\n    pass\n`),
  plain("empty parentheses", decorated("flow()")),
  plain("a name", decorated("flow(name='My flow. №1')")),
  plain("a version and a description", decorated("flow(version='3', description='What it does: this.')")),
  plain(
    "every keyword that deployments know nothing of",
    decorated(
      "flow(flow_run_name='{n}', retries=3, retry_delay_seconds=1.5, timeout_seconds=60, validate_parameters=False, persist_result=True, cache_result_in_memory=False, log_prints=True)",
    ),
  ),
  plain("prefect.flow", "import prefect\n@prefect.flow(name='x')\ndef f(n: int):\n    pass\n"),
  plain("from prefect.flows", "from prefect.flows import flow\n@flow\ndef f(n: int):\n    pass\n"),
  plain("a docstring", documented('"""Does it.\n\n    In two paragraphs,\n        indented.\n    """')),
  plain("an empty docstring", documented('""')),
  plain("a docstring of Latin letters", documented('"Größe"')),
  plain(
    "a module's docstring and constants",
    within('"""About."""\nLIMIT: int = -3\nNAMES = ["a", {"b": (1, None)}]\nLOG = print\nSAME = LIMIT'),
  ),
  plain(
    "imports",
    within(
      "import os, sys\nimport os.path as p\nfrom collections.abc import Mapping\nimport httpx\nfrom pydantic import BaseModel",
    ),
  ),
  plain(
    "calls that do not fail",
    within(
      'import logging, os\nfrom pathlib import Path\nfrom prefect.logging import get_logger\nL = logging.getLogger(__name__)\nU = os.getenv("X", "y")\nP = Path(__file__)\nG = get_logger()',
    ),
  ),
  plain(
    "tasks, classes and other flows",
    within(
      'from prefect import task\n@task\ndef t() -> "C":\n    f()\n@task(retries=2, name="u")\ndef u(c: list[int] = []):\n    exit()\nclass C(dict):\n    "Of a kind."\n    n: int = 1\n    def m(self, x: int | None = None):\n        f()\n@flow\ndef g(x: C):\n    f()',
    ),
  ),
  plain("a main guard", within("", 'if __name__ == "__main__":\n    f.serve(name="x")')),
  plain("annotations as texts", `from __future__ import annotations\n${taking("n: int, m: str = 'x'")}`),
  plain("a coding line", `# -*- coding: latin-1 -*-\n${documented('"Does it."')}`),

  doubtful(
    "a docstring with sections",
    documented('"""Does it.\n\n    Args:\n        n: how many\n        name: whose\n    """'),
  ),
  doubtful("a docstring with a colon", documented('"Note: nothing"')),
  doubtful("a type of the module", within("class int: pass")),
  doubtful("a type from elsewhere", `from datetime import date as int\n${taking("n: int")}`),
  doubtful("a date", `from datetime import date\n${taking("n: date")}`),
  doubtful("a model", `from pydantic import BaseModel\nclass M(BaseModel):\n    x: int\n${taking("m: M")}`),
  doubtful("a literal", `from typing import Literal\n${taking("m: Literal['a']")}`),
  doubtful("a dictionary of anything", taking("d: dict")),
  doubtful("a tuple", taking("t: tuple[int, int]")),
  doubtful("keys that are no texts", taking("d: dict[int, str]")),
  doubtful("a union", taking("u: int | str")),
  doubtful("an annotation as a text", taking("n: 'int'")),
  doubtful("an undefined type", taking("n: Unknown")),
  doubtful("a computed default", taking("n: int = 2 * 3")),
  doubtful("a default from the module", `N = 3\n${taking("n: int = N")}`),
  doubtful("a default that JSON has not", taking("n: float = 1e999")),
  doubtful("an integer beyond doubles", taking(`n: int = ${2n ** 70n}`)),
  doubtful("a tuple as default", taking("n=(1, 2)")),
  doubtful("bytes as default", taking("n=b'x'")),
  doubtful("half a letter", taking("n='\\ud800'")),
  doubtful("a keyword argument of its own", taking("**options")),
  doubtful("positional arguments of its own", taking("*values")),
  doubtful("positional-only parameters", taking("a, /, b")),
  doubtful("a parameter that models have", taking("json: str, copy: int = 1")),
  doubtful("a parameter of pydantic's namespace", taking("model_name: str")),
  doubtful("a parameter with an underscore", taking("_n: int = 1")),
  doubtful("a reserved parameter", taking("wait_for: int = 1")),
  doubtful("self", taking("self, n: int")),
  doubtful("a name that Prefect refuses", decorated("flow(name='a/b')")),
  doubtful("an empty name", decorated("flow(name='')")),
  doubtful("a computed name", `X = "x"\n${decorated("flow(name=X)")}`),
  doubtful("a name that is a number", decorated("flow(name=3)")),
  doubtful("an unknown keyword", decorated("flow(colour='red')")),
  doubtful("a keyword of another type", decorated("flow(retries='3')")),
  doubtful("a hook", decorated("flow(on_failure=[print])")),
  doubtful("keywords from elsewhere", decorated("flow(**{'name': 'x'})")),
  doubtful("a positional argument", decorated("flow(None)")),
  doubtful(
    "two decorators",
    `from functools import wraps\n${FLOW}def twice(f):\n    return f\n@twice\n@flow\ndef f():\n    pass\n`,
  ),
  doubtful(
    "a decorator by another name",
    "from prefect import flow as work\n@work\ndef f(n: int):\n    pass\n",
  ),
  doubtful("a decorator of another's", "def flow(f):\n    return f\n@flow\ndef f():\n    pass\n"),
  doubtful(
    "a decorator that is replaced",
    `${FLOW}flow = flow(name="x") if 0 else flow\n@flow\ndef f():\n    pass\n`,
  ),
  doubtful("a decorator of another module", "from somewhere import flow\n@flow\ndef f():\n    pass\n"),
  doubtful("a flow that is replaced", within("", 'f = f.with_options(name="other")')),
  doubtful("a flow that is defined twice", `${within("")}@flow(name="second")\ndef f():\n    pass\n`),
  doubtful("a flow that is changed", within("", 'f.name = "other"')),
  doubtful("a flow that another statement uses", within("", 'g = f.with_options(name="other")')),
  doubtful(
    "a flow that a function changes",
    within("def change():\n    global f\n    f = 3", "CHANGED = change()"),
  ),
  doubtful("a flow in a condition", `${FLOW}if True:\n    @flow\n    def f():\n        pass\n`),
  doubtful("a flow in a class", `${FLOW}class C:\n    @flow\n    def f(self):\n        pass\nf = C.f\n`),
  doubtful("an import that is missing", within("import there_is_no_such_module")),
  doubtful("an import from beside the module's package", within("from .beside import x")),
  doubtful("a computation that fails", within("X = 1 / 0")),
  doubtful("a variable that is not set", within('import os\nX = os.environ["THERE_IS_NO_SUCH_VARIABLE"]')),
  doubtful("a name that is not there", within("X = y")),
  doubtful("a type that is not there", within("def g(x: Nothing):\n    pass")),
  doubtful("a result that is not there", within("def g() -> Nothing:\n    pass")),
  doubtful("a base that is not there", within("class C(Nothing):\n    pass")),
  doubtful(
    "a decorator from elsewhere",
    within("import functools\n@functools.lru_cache\ndef g():\n    pass"),
  ),
  doubtful("another flow that Prefect refuses", within('@flow(name="a/b")\ndef g():\n    pass')),
  doubtful("a class that does something", within("class C:\n    print(1)")),
  doubtful("a loop", within("for n in range(3):\n    pass")),
  doubtful("a call", within("print('hello')")),
  doubtful("an exit", within("raise SystemExit")),
  doubtful("a star", within("from os import *")),
  doubtful("reflection", within("", "X = globals().update(f=3)")),
  doubtful("no such flow", `${FLOW}@flow\ndef g():\n    pass\n`),
  doubtful("no flow", "def f():\n    pass\n"),
  doubtful("a mistake", `${FLOW}@flow\ndef f(:\n`),
];
