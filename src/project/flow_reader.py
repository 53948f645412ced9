"""Tells of each entrypoint its flow's name, description, version and parameter schema, as one line of JSON each on stdout.

The entrypoints come on stdin, each as a line of JSON text. Where the source says all of a flow, it is read and nothing of it is
run. Else, with Prefect, the flow is imported, as `prefect deploy` does; where that fails, or without Prefect, its source is
read. What the flows' modules print goes to stderr. Standard library only, Python 3.8 and newer.

Usage: flow_reader.py [--source]    (--source: read the source, run nothing)
       flow_reader.py --find        tells of every flow below the current directory: {"entrypoint", "name"}
"""

import json
import os
import sys
import traceback

from flow_proof import is_plain
from flow_source import Missing, SourceReader, find_flows, no_such_flow, split

TRACEBACK_LINES = 12


def main(arguments):
    questions = os.fdopen(os.dup(0), encoding="utf-8")
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    # As `python -m` has it: modules of the project can be imported, those beside this script cannot.
    sys.path[0] = os.getcwd()
    for ours in ("flow_proof", "flow_source"):
        del sys.modules[ours]
    if arguments == ["--find"]:
        for found in find_flows():
            replies.write(json.dumps(found) + "\n")
        replies.flush()
        return
    reader = SourceReader() if arguments == ["--source"] else QuickReader()
    for line in questions:
        replies.write(json.dumps(answer(reader, json.loads(line)), default=str) + "\n")
        replies.flush()


def answer(reader, entrypoint):
    try:
        look_for_file(entrypoint)
        return dict(reader.read(entrypoint), entrypoint=entrypoint)
    except Missing as error:
        return {"entrypoint": entrypoint, "error": str(error)}
    except BaseException as error:  # a module may also leave by sys.exit
        cause = getattr(error, "user_exc", None) or error
        trace = "".join(traceback.format_exception(type(cause), cause, cause.__traceback__))
        return {
            "entrypoint": entrypoint,
            "error": "%s: %s" % (type(cause).__name__, cause),
            "trace": "\n".join(trace.rstrip().split("\n")[-TRACEBACK_LINES:]),
        }


def look_for_file(entrypoint):
    place, _ = split(entrypoint)
    if not place.endswith(".py"):
        return
    if not os.path.isfile(place):
        folder = os.path.dirname(os.path.abspath(place))
        there = sorted(name for name in os.listdir(folder) if name.endswith(".py")) if os.path.isdir(folder) else None
        if there is None:
            what = "the directory %s does not exist" % folder
        else:
            what = "in %s there is %s" % (folder, ", ".join(there[:8]) or "no .py file")
        raise Missing("the file %s does not exist (%s)" % (place, what))


class QuickReader:
    """Imports Prefect only for a flow of which its source does not say all."""

    def __init__(self):
        self.source = SourceReader()
        self.prefect = None

    def read(self, entrypoint):
        if self.says_all(*split(entrypoint)):
            return self.source.read(entrypoint)
        self.prefect = self.prefect or prefect_reader() or self.source
        return self.prefect.read(entrypoint)

    def says_all(self, place, name):
        try:
            return place.endswith(".py") and is_plain(self.source.parsed(place)[0], name, place)
        except (SyntaxError, ValueError, RecursionError):  # which importing it tells better
            return False


def prefect_reader():
    try:
        return PrefectReader()
    except ImportError as error:
        if (error.name or "").split(".")[0] == "prefect":
            return None
        raise


class PrefectReader:
    """Each module is run once, however many of its flows are asked for (prefect/flows.py: load_flow_from_entrypoint)."""

    def __init__(self):
        import prefect.flows
        from prefect.exceptions import ScriptError
        from prefect.utilities.callables import parameter_schema
        from prefect.utilities.importtools import import_object, load_script_as_module

        self.flows = prefect.flows
        self.script_error = ScriptError
        self.parameter_schema = parameter_schema
        self.import_object = import_object
        self.load_script = load_script_as_module
        self.scripts = {}

    def read(self, entrypoint):
        flow = self.load(entrypoint)
        place, name = split(entrypoint)
        if not isinstance(flow, self.flows.Flow):
            raise Missing("%r in %s is not a flow; decorate it with @flow" % (name, place))
        schema = self.parameter_schema(flow)
        # Version 2's model has `dict` or `model_dump`, by the pydantic that is installed.
        dump = getattr(schema, "model_dump", None) or schema.dict
        return {
            "name": flow.name,
            "description": flow.description,
            "version": flow.version,
            "parameters": dump(exclude_unset=True),
        }

    def load(self, entrypoint):
        place, name = split(entrypoint)
        try:
            if not place.endswith(".py"):
                return self.import_object(entrypoint)
            found = self.script(place)
            for part in name.split("."):
                found = getattr(found, part)
            return found
        except AttributeError:
            raise no_such_flow(place, name, self.known(place))
        except self.script_error:
            read_source = getattr(self.flows, "safe_load_flow_from_entrypoint", None)
            if read_source is None:
                raise
            try:
                flow = read_source(entrypoint)
            except ValueError:
                flow = None
            if flow is None:
                raise
            return flow

    def script(self, path):
        if path not in self.scripts:
            try:
                self.scripts[path] = self.load_script(path)
            except self.script_error as error:
                self.scripts[path] = error
        found = self.scripts[path]
        if isinstance(found, Exception):
            raise found
        return found

    def known(self, place):
        module = self.scripts.get(place) if place.endswith(".py") else sys.modules.get(place)
        return [key for key, value in vars(module).items() if isinstance(value, self.flows.Flow)] if module else []


if __name__ == "__main__":
    main(sys.argv[1:])
