"""Runs `prefect` command lines for a test: Prefect is imported once, each command is a fork.

Requests come as lines of JSON on stdin: {"cwd": …, "args": […], "env": {…}, "output": FILE}; each is answered by a line with the
exit status once the command has ended.
"""

import json
import os
import sys

import prefect.cli
import prefect.cli.deploy
import prefect.context
import prefect.deployments.runner
import prefect.events
import prefect.flows

try:
    import prefect.cli.deploy._commands
    import prefect.cli.deploy._core
except ImportError:
    pass  # 2.x has it in one module


def run(request):
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 70
    try:
        output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(request["cwd"])
        os.environ.update(request["env"])
        if hasattr(prefect.context, "refresh_global_settings_context"):
            prefect.context.refresh_global_settings_context()
        sys.argv = ["prefect", *request["args"]]
        try:
            prefect.cli.app()
            status = 0
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
        except BaseException:
            import traceback

            traceback.print_exc()
            status = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


print("ready", flush=True)
for line in sys.stdin:
    print(json.dumps(run(json.loads(line))), flush=True)
