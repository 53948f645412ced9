"""What the source of a flow's module says of the flow, without running anything of it. Standard library only, Python 3.8 and newer."""

import ast
import hashlib
import importlib.util
import inspect
import os
import re

NO_PROJECT_CODE = ("site-packages", "node_modules", "__pycache__", "venv", "env")
PYDANTIC_TYPES = {
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "str": {"type": "string"},
    "bool": {"type": "boolean"},
    "bytes": {"type": "string", "format": "binary"},
    "None": {"type": "null"},
    "dict": {"type": "object"},
    "Dict": {"type": "object"},
    "list": {"type": "array", "items": {}},
    "List": {"type": "array", "items": {}},
    "tuple": {"type": "array", "items": {}},
    "Tuple": {"type": "array", "items": {}},
    "set": {"type": "array", "items": {}, "uniqueItems": True},
    "Set": {"type": "array", "items": {}, "uniqueItems": True},
    "Any": {},
    "object": {},
    "datetime": {"type": "string", "format": "date-time"},
    "datetime.datetime": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
    "datetime.date": {"type": "string", "format": "date"},
    "time": {"type": "string", "format": "time"},
    "datetime.time": {"type": "string", "format": "time"},
    "timedelta": {"type": "string", "format": "duration"},
    "datetime.timedelta": {"type": "string", "format": "duration"},
    "Path": {"type": "string", "format": "path"},
    "pathlib.Path": {"type": "string", "format": "path"},
    "UUID": {"type": "string", "format": "uuid"},
    "uuid.UUID": {"type": "string", "format": "uuid"},
    "Decimal": {"anyOf": [{"type": "number"}, {"type": "string"}]},
}


class Missing(Exception):
    """Something that the entrypoint names is not there."""


def split(entrypoint):
    """Path or module, and the name within it."""
    place, separator, name = entrypoint.rpartition(":")
    if not separator:
        place, separator, name = entrypoint.rpartition(".")
    if not place or not name:
        raise Missing("%r is no entrypoint; write path/to/file.py:flow_function or package.module.flow_function" % entrypoint)
    return place, name


def no_such_flow(place, name, known):
    there = ", ".join(sorted(known)[:8])
    return Missing("%s has no flow %r%s" % (place, name, "; its flows are " + there if there else " and no other flow"))


def find_flows():
    """Functions with @flow in the project's files, by their source; not in environments and hidden directories."""
    reader = SourceReader()
    for folder, folders, files in os.walk("."):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in NO_PROJECT_CODE)
        for file in sorted(name for name in files if name.endswith(".py")):
            path = os.path.normpath(os.path.join(folder, file))
            try:
                tree, _ = reader.parsed(path)
            except (OSError, SyntaxError, ValueError):
                continue
            for name in reader.known(tree):
                given = reader.decorator(reader.function(tree, [name])) or {}
                yield {
                    "entrypoint": "%s:%s" % (path.replace(os.sep, "/"), name),
                    "name": given.get("name") or name.replace("_", "-"),
                }


class SourceReader:
    """Reads flows without Prefect: what stands in the source as constants."""

    def __init__(self):
        self.files = {}

    def parsed(self, path):
        """The tree of a file, and its bytes."""
        if path not in self.files:
            with open(path, "rb") as file:
                source = file.read()
            self.files[path] = (ast.parse(source, path), source)
        return self.files[path]

    def read(self, entrypoint):
        place, name = split(entrypoint)
        tree, source = self.parsed(place if place.endswith(".py") else self.module_path(place))
        function = self.function(tree, name.split("."))
        if function is None:
            raise no_such_flow(place, name, self.known(tree))
        given = self.decorator(function)
        if given is None:
            raise Missing("%r in %s is not a flow; decorate it with @flow" % (name, place))
        docstring = ast.get_docstring(function)
        return {
            "name": given.get("name") or function.name.replace("_", "-"),
            "description": given.get("description") or docstring,
            "version": given.get("version") or hashlib.md5(source).hexdigest(),
            "parameters": self.schema(function, docstring),
        }

    def module_path(self, module):
        try:
            spec = importlib.util.find_spec(module)
        except (ImportError, ValueError):
            spec = None
        if spec is None or not spec.origin:
            raise Missing("there is no module %s below %s" % (module, os.getcwd()))
        return spec.origin

    def function(self, tree, parts):
        found = tree
        for part in parts:
            found = next(
                (
                    node
                    for node in ast.walk(found)
                    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and node.name == part
                ),
                None,
            )
            if found is None:
                return None
        return found if isinstance(found, (ast.FunctionDef, ast.AsyncFunctionDef)) else None

    def known(self, tree):
        nodes = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
        return [node.name for node in nodes if self.decorator(node) is not None]

    def decorator(self, function):
        """The constant arguments of @flow or @prefect.flow; None when there is no such decorator."""
        for decorator in function.decorator_list:
            call = decorator if isinstance(decorator, ast.Call) else None
            named = call.func if call else decorator
            if getattr(named, "id", None) != "flow" and getattr(named, "attr", None) != "flow":
                continue
            keywords = call.keywords if call else []
            return {word.arg: str(word.value.value) for word in keywords if isinstance(word.value, ast.Constant)}
        return None

    def schema(self, function, docstring):
        """As prefect/utilities/callables.py has it for constants and the usual types; any other type gives {}."""
        arguments = function.args
        positional = list(getattr(arguments, "posonlyargs", [])) + list(arguments.args)
        none = object()
        defaults = [none] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
        pairs = list(zip(positional, defaults)) + list(zip(arguments.kwonlyargs, [d or none for d in arguments.kw_defaults]))
        descriptions = google_parameters(docstring)
        properties, required = {}, []
        for position, (argument, default) in enumerate(pairs):
            name = argument.arg
            if name in ("self", "cls"):
                continue
            field = {}
            if default is none:
                required.append(name)
            else:
                field["default"] = constant(default)
            if name in descriptions:
                field["description"] = descriptions[name]
            field["position"] = position
            field["title"] = name
            field.update(type_of(argument.annotation) if argument.annotation is not None else {})
            properties[name] = field
        schema = {"title": "Parameters", "type": "object", "properties": properties}
        if required:
            schema["required"] = required
        return schema


def constant(node):
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None


def type_of(node):
    """The JSON schema of an annotation; {} for what cannot be told without running it."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            try:
                return type_of(ast.parse(node.value, mode="eval").body)
            except SyntaxError:
                return {}
        return {"type": "null"} if node.value is None else {}
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return any_of([node.left, node.right])
    if isinstance(node, ast.Subscript):
        return type_of_generic(dotted(node.value), subscript(node))
    return dict(PYDANTIC_TYPES.get(dotted(node), {}))


def type_of_generic(name, parts):
    short = name.split(".")[-1]
    if short == "Optional":
        return any_of([parts[0], ast.Constant(value=None)])
    if short == "Union":
        return any_of(parts)
    if short == "Annotated":
        return type_of(parts[0])
    if short in ("list", "List", "Sequence", "Iterable"):
        return {"type": "array", "items": type_of(parts[0])}
    if short in ("set", "Set", "frozenset", "FrozenSet"):
        return {"type": "array", "items": type_of(parts[0]), "uniqueItems": True}
    if short in ("dict", "Dict", "Mapping") and len(parts) == 2:
        values = type_of(parts[1])
        return {"additionalProperties": values or True, "type": "object"}
    if short == "Literal":
        values = [constant(part) for part in parts]
        kinds = {type(value) for value in values}
        schema = {"const": values[0]} if len(values) == 1 else {"enum": values}
        if kinds == {str}:
            schema["type"] = "string"
        elif kinds == {int}:
            schema["type"] = "integer"
        return schema
    return {}


def any_of(nodes):
    flat = []
    for node in nodes:
        schema = type_of(node)
        flat.extend(schema["anyOf"] if list(schema) == ["anyOf"] else [schema])
    return {"anyOf": flat}


def subscript(node):
    inner = node.slice
    if type(inner).__name__ == "Index":  # before Python 3.9
        inner = inner.value
    return list(inner.elts) if isinstance(inner, ast.Tuple) else [inner]


def dotted(node):
    if isinstance(node, ast.Name):
        return node.id
    return "%s.%s" % (dotted(node.value), node.attr) if isinstance(node, ast.Attribute) else ""


def google_parameters(docstring):
    """Descriptions of the `Args:` section of a docstring in Google's style."""
    found, current, indent = {}, None, None
    section = re.search(r"^(?:Args|Arguments|Params|Parameters):[ ]*\n((?:[ \t]+.*\n?|\n)*)", docstring or "", re.M)
    for line in inspect.cleandoc("\n" + section.group(1)).split("\n") if section else []:
        match = re.match(r"\*{0,2}(\w+)(?:\s*\([^)]*\))?:\s*(.*)", line)
        if match and not line.startswith((" ", "\t")):
            current, indent = match.group(1), None
            found[current] = match.group(2)
        elif current and line.strip():
            indent = indent if indent is not None else len(line) - len(line.lstrip())
            found[current] = (found[current] + "\n" + line[indent:].rstrip()).strip()
    return found
