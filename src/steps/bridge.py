"""Runs pull steps that only exist in Python, for a worker that is not written in it.

One process serves all such steps of a flow run. Requests come as lines of JSON on file descriptor 3, each is answered by
one line on descriptor 4; stdout and stderr belong to the steps. `bridge.py check REQUIREMENT...` only looks whether packages
are there. `image_bridge.py` does the same within a container. Standard library only, Python 3.8 and newer; Prefect is
imported by the steps that need it, not here.
"""

import importlib
import importlib.util
import inspect
import json
import os
import re
import select
import signal
import sys
import threading
import traceback
import warnings
from pathlib import Path, PurePath

REQUEST_FD = 3
REPLY_FD = 4
TRACEBACK_LINES = 20


def main():
    os.set_inheritable(REQUEST_FD, False)
    os.set_inheritable(REPLY_FD, False)
    threading.Thread(target=end_with_worker, daemon=True).start()
    with os.fdopen(REQUEST_FD, "rb") as requests:
        hello = json.loads(requests.readline())
        if sys.path[:1] == [os.path.dirname(os.path.abspath(__file__))]:
            del sys.path[0]
        # As `python -m` has it for Prefect's own preparation: modules in the first directory can be imported.
        sys.path.insert(0, hello["import_path"])
        baseline = absolute(sys.path)
        for line in requests:
            request = json.loads(line)
            reply = serve(request, baseline)
            for stream in (sys.stdout, sys.stderr):
                try:
                    stream.flush()
                except Exception:
                    pass  # a step closed or replaced it
            for descriptor in (1, 2):
                try:
                    write_all(descriptor, request["marker"] + "\n")
                except OSError:
                    pass  # a step closed it; the worker does not wait for ever
            write_all(REPLY_FD, json.dumps(reply) + "\n")


def end_with_worker():
    """Ends this process and all that it started when the worker dies, so that no orphan disturbs the run's next attempt."""
    watch = select.poll()
    watch.register(REPLY_FD, 0)
    watch.poll()  # asked for nothing, it returns on a hang-up only
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)


def write_all(descriptor, text):
    data = text.encode()
    while data:
        data = data[os.write(descriptor, data) :]


def serve(request, baseline):
    try:
        os.chdir(request["cwd"])
        set_environment(request["env"])
        reply = OPERATIONS[request["op"]](request)
        reply["cwd"] = os.getcwd()
        reply["env"] = environment_changes(request["env"])
        reply["python_path"] = [
            entry for entry in absolute(sys.path) if entry not in baseline and not is_interpreters(entry)
        ]
        return reply
    except BaseException as error:  # a step may also leave by sys.exit
        return failure(error)


def check(requires):
    """Tells, as a list on stdout, what has to be installed."""
    sys.path = [entry for entry in sys.path[1:] if entry]
    print(json.dumps(missing(requires)))


def missing(requires):
    """What has to be installed; looks for the modules without importing them."""
    for requirement in requires:
        try:
            if importlib.util.find_spec(module_of(requirement)) is not None:
                continue
        except (ImportError, ValueError):
            pass
        return installable(requires)
    return []


def run_step(request):
    try:
        if not request["installed"]:
            for requirement in request["requires"]:
                importlib.import_module(module_of(requirement))
        function = load_function(request["name"])
    except ImportError as error:
        if request["installed"] or not request["requires"]:
            raise
        return {"missing": str(error), "install": installable(request["requires"])}
    # Of the call only: importing Prefect warns of much that is nobody's business here.
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", category=DeprecationWarning)
        result = wait_for(function(**request["inputs"]))
    converted = []
    return {
        "outputs": to_json(result, "", converted) if isinstance(result, dict) else None,
        "converted": converted,
        "warnings": list(dict.fromkeys(str(warning.message) for warning in caught)),
    }


def outputs(result=None):
    return {"outputs": result, "converted": [], "warnings": []}


def pull_storage(request):
    """What Prefect does for a deployment without pull steps whose code lies in a storage block."""

    async def pull():
        from uuid import UUID

        from prefect.blocks.core import Block
        from prefect.client.orchestration import get_client

        async with get_client() as client:
            document = await client.read_block_document(UUID(request["document_id"]))
            block = Block._from_block_document(document)
            if not hasattr(block, "get_directory"):
                raise TypeError("a block of type %s holds no code: it has no get_directory" % type(block).__name__)
            pulled = block.get_directory(from_path=request["from_path"], local_path=request["local_path"])
            if inspect.isawaitable(pulled):
                await pulled

    wait_for(pull())
    return outputs()


def wait_for(result):
    if not inspect.isawaitable(result):
        return result
    import asyncio

    async def finish():
        return await result

    return asyncio.run(finish())


def module_of(requirement):
    return re.split("[<>=!~]", requirement)[0].strip().replace("-", "_")


def load_function(name):
    """Finds `package.module.function`, `module:function` or `path/to/file.py:function`."""
    importlib.invalidate_caches()
    if ".py:" in name:
        path, attributes = name.rsplit(":", 1)
        module = load_file(path)
    else:
        module_name, separator, attributes = name.rpartition(":" if ":" in name else ".")
        if not separator:
            raise ValueError("%r names no function: write module.function" % name)
        module = importlib.import_module(module_name)
    found = module
    for attribute in attributes.split("."):
        found = getattr(found, attribute)
    return found


def load_file(path):
    full_path = Path(path).resolve()
    name = full_path.stem
    if name in sys.modules:
        name = "__lighterman_step_%s_%s__" % (name, abs(hash(str(full_path))))
    spec = importlib.util.spec_from_file_location(name, str(full_path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    added = [str(full_path.parent), os.getcwd()]
    sys.path[:0] = added
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        for entry in added:
            if entry in sys.path:
                sys.path.remove(entry)
    return module


def installable(requires):
    """The requirements as Prefect installs them: its own version is kept, its integrations go by its extras."""
    pinned = []
    known = {}
    try:
        from importlib.metadata import version

        prefect = version("prefect")
        if "+" not in prefect:
            pinned = ["prefect==" + prefect]
        known = importlib.import_module("prefect._internal.integrations").KNOWN_EXTRAS_FOR_PACKAGES
    except ImportError:
        pass  # no Prefect there (PackageNotFoundError is an ImportError, too), or one that knows no extras
    return pinned + [known.get(requirement, requirement) for requirement in requires]


def to_json(value, path, converted):
    """Keeps what JSON can hold; everything else becomes its text, as it would within another step's template."""
    if value is None or isinstance(value, (bool, str)):
        return str.__str__(value) if isinstance(value, str) else value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float) and value - value == 0:
        return float(value)
    if isinstance(value, dict):
        return {
            (key if isinstance(key, str) else str(key)): to_json(item, "%s.%s" % (path, key), converted)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [to_json(item, "%s[%d]" % (path, index), converted) for index, item in enumerate(value)]
    if not isinstance(value, PurePath):
        converted.append("%s (%s)" % (path.lstrip("."), type(value).__name__))
    return str(value)


def set_environment(wanted):
    for name in list(os.environ):
        if name not in wanted:
            del os.environ[name]
    for name, value in wanted.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


def environment_changes(before):
    # Names and values are bytes underneath; what is no UTF-8 cannot be told in JSON.
    after = {name: value for name, value in os.environ.items() if is_text(name) and is_text(value)}
    changes = {name: None for name in before if name not in os.environ}
    changes.update({name: value for name, value in after.items() if before.get(name) != value})
    return changes


def is_text(value):
    try:
        value.encode()
        return True
    except UnicodeEncodeError:
        return False


def absolute(entries):
    return list(dict.fromkeys(os.path.abspath(entry) for entry in entries if isinstance(entry, str)))


def is_interpreters(entry):
    """True for the directories that an interpreter finds by itself; in PYTHONPATH they would come too early."""
    import site
    import sysconfig

    paths = sysconfig.get_paths()
    packages = [paths.get("purelib"), paths.get("platlib"), *getattr(site, "getsitepackages", list)()]
    user = getattr(site, "getusersitepackages", lambda: None)()
    real = os.path.realpath(entry)
    packages = [os.path.realpath(path) for path in [*packages, user] if path]
    if real in packages:
        return True
    if any(real.startswith(path + os.sep) for path in packages):
        return False
    libraries = [os.path.realpath(paths[key]) for key in ("stdlib", "platstdlib") if paths.get(key)]
    archive = "python%d%d.zip" % sys.version_info[:2]
    return any(
        real == library
        or real.startswith(library + os.sep)
        or real == os.path.join(os.path.dirname(library), archive)
        for library in libraries
    )


def failure(error):
    if isinstance(error, SystemExit):
        message = "the step called sys.exit(%s)" % ("" if error.code is None else repr(error.code))
    else:
        message = str(error)
    frames = error.__traceback__
    while frames is not None and not is_steps_own(frames):
        frames = frames.tb_next
    # Without a frame of the step's own there is nothing to see that the message does not say.
    trace = traceback.format_exception(type(error), error, frames) if frames is not None else []
    lines = "".join(trace).rstrip().split("\n")
    return {
        "error": {
            "type": type(error).__name__,
            "message": message,
            "is_import": isinstance(error, ImportError),
            "trace": "\n".join(lines[-TRACEBACK_LINES:]),
        }
    }


def is_steps_own(frames):
    filename = frames.tb_frame.f_code.co_filename
    return filename != __file__ and not filename.startswith("<frozen") and "importlib" not in filename and (
        os.sep + "asyncio" + os.sep not in filename
    )


OPERATIONS = {"step": run_step, "storage": pull_storage}

if __name__ == "__main__":
    check(sys.argv[2:]) if sys.argv[1:2] == ["check"] else main()
