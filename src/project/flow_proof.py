"""Tells whether importing a flow's module could say anything else of the flow than its source does.

Importing Prefect takes a second. Most flows are functions of numbers, texts and lists below `@flow`: what Prefect would tell of
them follows from the source alone, and nothing has to be imported. Whatever leaves a doubt is no such flow. One doubt is
allowed: that a module which is there cannot be imported. Standard library only, Python 3.8 and newer.
"""

import ast
import builtins
import importlib.util
import math
import os
import sys

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# Of @flow and @task: what does not change a deployment as long as it is a constant, and the types of these.
KEYWORDS = {
    "name": (str,),
    "version": (str,),
    "description": (str,),
    "flow_run_name": (str,),
    "retries": (int,),
    "retry_delay_seconds": (int, float),
    "timeout_seconds": (int, float),
    "validate_parameters": (bool,),
    "persist_result": (bool,),
    "cache_result_in_memory": (bool,),
    "log_prints": (bool,),
}
TASK_KEYWORDS = dict(KEYWORDS, task_run_name=(str,))
BANNED_IN_NAMES = set("/%&><")
# Not `dict` by itself: what it gives differs between pydantic's versions.
SIMPLE_TYPES = ("int", "float", "str", "bool", "list")
CONTAINERS = {"list": 1, "dict": 2}
# Parameters that Prefect refuses, or that pydantic's models (1 and 2) have for themselves.
NOT_PLAIN_NAMES = set(
    "self cls args kwargs return_state wait_for v__args v__kwargs construct copy dict from_orm json parse_file parse_obj"
    " parse_raw schema schema_json update_forward_refs validate fields config".split()
)
# With these a module can change what its names mean.
REFLECTION = {"globals", "locals", "vars", "exec", "eval", "setattr", "delattr", "__import__", "__builtins__", "builtins"}
# Calls that do not fail, with where they come from.
SAFE_CALLS = {("logging", "getLogger"), ("os", "getenv"), ("pathlib", "Path"), ("prefect.logging", "get_logger")}
GREATEST_INTEGER = 2**53


def is_plain(tree, name, path):
    """Whether `name` is a flow of the module `tree`, in the file `path`, of which its source says all."""
    try:
        Proof(tree, name, path).check()
    except Doubt:
        return False
    return True


class Doubt(Exception):
    pass


def must(condition):
    if not condition:
        raise Doubt


class Proof:
    def __init__(self, tree, name, path):
        self.tree = tree
        self.name = name
        self.places = [os.path.dirname(os.path.abspath(path)), os.getcwd()]
        self.bound = {}
        for node in ast.walk(tree):
            for bound in names_bound_by(node):
                self.bound[bound] = self.bound.get(bound, 0) + 1

    def check(self):
        functions = [node for node in self.tree.body if isinstance(node, FUNCTIONS) and node.name == self.name]
        must(len(functions) == 1 and self.bound[self.name] == 1 and not set(self.bound) & REFLECTION)
        function = functions[0]
        for node in ast.walk(self.tree):
            must(not (isinstance(node, ast.Name) and node.id in REFLECTION))
            must(not (isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load) and self.touches(node.value)))
        for statement in self.tree.body:
            if not is_main_guard(statement):
                self.check_statement(statement)
        must(len(function.decorator_list) == 1)
        self.check_decorator(function.decorator_list[0], "flow", KEYWORDS)
        self.check_parameters(function.args)
        # Sections of a docstring, which may describe the parameters, begin with a word and a colon.
        must(":" not in (ast.get_docstring(function) or ""))

    def touches(self, node):
        return isinstance(node, ast.Name) and node.id == self.name

    def check_statement(self, statement):
        """It neither fails nor changes the flow."""
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                self.check_module(alias.name)
        elif isinstance(statement, ast.ImportFrom):
            must(statement.level == 0 and all(alias.name != "*" for alias in statement.names))
            self.check_module(statement.module)
        elif isinstance(statement, FUNCTIONS):
            self.check_function(statement)
        elif isinstance(statement, ast.ClassDef):
            must(not statement.decorator_list)
            for part in statement.bases + [keyword.value for keyword in statement.keywords]:
                self.check_expression(part)
            for part in statement.body:
                self.check_statement(part)
        elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            must(all(isinstance(target, ast.Name) for target in targets))
            if isinstance(statement, ast.AnnAssign):
                self.check_annotation(statement.annotation)
            if statement.value is not None:
                self.check_expression(statement.value)
        else:
            must(isinstance(statement, ast.Pass) or is_text(statement))

    def check_module(self, name):
        top = name.split(".")[0]
        if top == "prefect" or top in sys.builtin_module_names:
            return
        if any(os.path.exists(os.path.join(place, top + end)) for place in self.places for end in ("", ".py")):
            return
        try:
            must(importlib.util.find_spec(top) is not None)
        except (ImportError, ValueError):
            raise Doubt

    def check_function(self, function):
        for decorator in function.decorator_list:
            if function.name == self.name:
                continue
            what = decorator.func if isinstance(decorator, ast.Call) else decorator
            is_flow = self.is_from_prefect(what, "flow")
            self.check_decorator(decorator, "flow" if is_flow else "task", KEYWORDS if is_flow else TASK_KEYWORDS)
        arguments = function.args
        given = arguments.args + arguments.kwonlyargs + getattr(arguments, "posonlyargs", [])
        given += [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
        for annotation in [argument.annotation for argument in given] + [function.returns]:
            if annotation is not None:
                self.check_annotation(annotation)
        for default in arguments.defaults + [one for one in arguments.kw_defaults if one is not None]:
            self.check_expression(default)

    def check_annotation(self, node):
        """Types that are there; a text may name what it likes."""
        if isinstance(node, ast.Subscript):
            must(sys.version_info >= (3, 9))
        elif isinstance(node, ast.BinOp):
            must(isinstance(node.op, ast.BitOr) and sys.version_info >= (3, 10))
        elif isinstance(node, (ast.Name, ast.Attribute)):
            self.check_expression(node)
            return
        else:
            must(isinstance(node, (ast.Constant, ast.Tuple, ast.List, ast.Load, ast.BitOr)) or type(node).__name__ == "Index")
        for child in ast.iter_child_nodes(node):
            self.check_annotation(child)

    def check_expression(self, node):
        """It can be computed, and has nothing to do with the flow."""
        if isinstance(node, ast.Call):
            must(self.is_safe(node.func) and not any(isinstance(given, ast.Starred) for given in node.args))
        elif isinstance(node, ast.Name):
            must(not self.touches(node) and (node.id in self.bound or hasattr(builtins, node.id) or node.id in ("__name__", "__file__")))
        elif isinstance(node, ast.UnaryOp):
            must(isinstance(node.operand, ast.Constant))
        else:
            plain = (ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.Attribute, ast.keyword, ast.Load, ast.Not, ast.USub)
            must(isinstance(node, plain))
        for child in ast.iter_child_nodes(node):
            self.check_expression(child)

    def is_safe(self, function):
        for module, what in SAFE_CALLS:
            if isinstance(function, ast.Attribute) and function.attr == what and isinstance(function.value, ast.Name):
                if self.is_import(function.value.id, None, module):
                    return True
            elif isinstance(function, ast.Name) and self.is_import(function.id, module, what):
                return True
        return False

    def check_decorator(self, decorator, what, keywords):
        """`@flow` or `@task` of Prefect, with constants only."""
        call = decorator if isinstance(decorator, ast.Call) else None
        must(self.is_from_prefect(call.func if call else decorator, what))
        must(call is None or not call.args)
        for keyword in call.keywords if call else []:
            value = keyword.value
            must(isinstance(value, ast.Constant) and type(value.value) in keywords.get(keyword.arg, ()))
            must(not isinstance(value.value, str) or (value.value != "" and is_encodable(value.value)))
            must(keyword.arg != "name" or not set(value.value) & BANNED_IN_NAMES)

    def is_from_prefect(self, node, what):
        if isinstance(node, ast.Attribute):
            return node.attr == what and isinstance(node.value, ast.Name) and self.is_import(node.value.id, None, "prefect")
        modules = ("prefect", "prefect.%ss" % what)
        return isinstance(node, ast.Name) and any(self.is_import(node.id, module, what) for module in modules)

    def is_import(self, name, module, what):
        """Whether `name` is `what`, by `from module import what` or `import what`, and means nothing else."""
        if name != what or self.bound.get(name) != 1:
            return False
        for statement in self.tree.body:
            if not isinstance(statement, (ast.Import, ast.ImportFrom)):
                continue
            origin = (statement.module if statement.level == 0 else "") if isinstance(statement, ast.ImportFrom) else None
            if origin == module and any(alias.name == what and alias.asname is None for alias in statement.names):
                return True
        return False

    def check_parameters(self, arguments):
        must(arguments.vararg is None and arguments.kwarg is None and not getattr(arguments, "posonlyargs", []))
        for argument in arguments.args + arguments.kwonlyargs:
            must(argument.arg not in NOT_PLAIN_NAMES and not argument.arg.startswith(("_", "model_")))
            if argument.annotation is not None:
                self.check_type(argument.annotation)
        for default in arguments.defaults + [given for given in arguments.kw_defaults if given is not None]:
            check_default(default)

    def check_type(self, node):
        if isinstance(node, ast.BinOp):
            must(isinstance(node.op, ast.BitOr) and sys.version_info >= (3, 10))
            must(isinstance(node.right, ast.Constant) and node.right.value is None)
            must(not isinstance(node.left, ast.BinOp))
            self.check_type(node.left)
        elif isinstance(node, ast.Subscript):
            must(isinstance(node.value, ast.Name))
            inner = node.slice.value if type(node.slice).__name__ == "Index" else node.slice
            parts = list(inner.elts) if isinstance(inner, ast.Tuple) else [inner]
            if node.value.id == "Optional":
                must(self.is_import("Optional", "typing", "Optional"))
                must(len(parts) == 1 and not isinstance(parts[0], ast.BinOp))
            else:
                must(sys.version_info >= (3, 9) and node.value.id not in self.bound)
                must(CONTAINERS.get(node.value.id) == len(parts))
                must(len(parts) == 1 or (isinstance(parts[0], ast.Name) and parts[0].id == "str"))
            for part in parts:
                self.check_type(part)
        else:
            must(isinstance(node, ast.Name) and node.id not in self.bound and node.id in SIMPLE_TYPES)


def names_bound_by(node):
    if isinstance(node, ast.Name):
        return [] if isinstance(node.ctx, ast.Load) else [node.id]
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [(alias.asname or alias.name).split(".")[0] for alias in node.names]
    if isinstance(node, (ast.Global, ast.Nonlocal)):
        return node.names
    # Functions, classes, handlers and patterns.
    names = [getattr(node, field, None) for field in ("name", "rest")] if not isinstance(node, ast.alias) else []
    return [name for name in names if isinstance(name, str)]


def is_text(statement):
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def is_main_guard(statement):
    if not isinstance(statement, ast.If) or statement.orelse or not isinstance(statement.test, ast.Compare):
        return False
    left, operators, right = statement.test.left, statement.test.ops, statement.test.comparators
    return (
        isinstance(left, ast.Name)
        and left.id == "__name__"
        and isinstance(operators[0], ast.Eq)
        and len(right) == 1
        and isinstance(right[0], ast.Constant)
        and right[0].value == "__main__"
    )


def check_default(node):
    """What JSON has, and every reader of it reads alike."""
    if isinstance(node, ast.List):
        for part in node.elts:
            check_default(part)
        return
    if isinstance(node, ast.Dict):
        for key, part in zip(node.keys, node.values):
            must(isinstance(key, ast.Constant) and isinstance(key.value, str) and is_encodable(key.value))
            check_default(part)
        return
    is_negative = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
    constant = node.operand if is_negative else node
    must(isinstance(constant, ast.Constant))
    value = constant.value
    must(not is_negative or type(value) in (int, float))
    if isinstance(value, str):
        must(is_encodable(value))
    elif isinstance(value, float):
        must(math.isfinite(value))
    elif isinstance(value, int):
        must(abs(value) < GREATEST_INTEGER)
    else:
        must(value is None)


def is_encodable(text):
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
