"""Prepares workspaces with the installed Prefect: one JSON case in, one JSON answer out.

Each case runs in a forked process with its own directory and environment, through the preparation stage of Prefect's process
worker; only the API client, the events and the log handlers are stubs.
"""

import asyncio
import json
import logging
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import httpx
import prefect.deployments.steps.core as core
import prefect.runner._workspace_resolver as resolver
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound
from prefect.runner._workspace_starter import _is_interpreter_path
from prefect.runner._workspace_supervisor import _restore_runner_environment, _runner_owns_environment_key
from prefect.utilities.templating import resolve_block_document_references, resolve_variables


class StubClient:
    def __init__(self, case):
        self.case = case

    def _document(self, key):
        if key not in self.case["blocks"]:
            request = httpx.Request("GET", "http://stub/")
            response = httpx.Response(404, request=request)
            raise ObjectNotFound(httpx.HTTPStatusError("404", request=request, response=response))
        return SimpleNamespace(data=self.case["blocks"][key])

    async def read_block_document_by_name(self, name, block_type_slug):
        return self._document(f"{block_type_slug}/{name}")

    async def read_block_document(self, block_document_id):
        return self._document(block_document_id)

    async def read_variable_by_name(self, name):
        value = self.case["variables"].get(name)
        return None if value is None else SimpleNamespace(value=value)


def prepare(case):
    os.chdir(case["cwd"])
    os.environ.clear()
    os.environ.update(case["env"])
    sys.path.insert(0, case["cwd"])
    client = StubClient(case)
    events = []
    lines = []
    outputs = {}

    async def blocks(template):
        return await resolve_block_document_references(template, client=client)

    async def variables(template):
        return await resolve_variables(template, client=client)

    async def record_event(step, *, event_type, **_):
        events.append([event_type.rsplit(".", 1)[1], step])

    async def run_steps(*args, **kwargs):
        outputs.update(await core.run_steps(*args, **kwargs))
        return outputs

    core.resolve_block_document_references = blocks
    core.resolve_variables = variables
    core._emit_pull_step_event = record_event
    resolver.run_steps = run_steps

    class Recorder(logging.Handler):
        def emit(self, record):
            lines.append(f"{record.levelname.lower().replace('warning', 'warn')}: {record.getMessage()}")

    logger = logging.getLogger("prefect.flow_runs")
    logger.handlers = [Recorder()]
    logger.propagate = False
    logger.setLevel(logging.INFO)

    deployment = SimpleNamespace(
        id=uuid4(),
        entrypoint=case.get("entrypoint") or "module.flow",
        path=case.get("path"),
        storage_document_id=None,
        pull_steps=case["steps"],
    )
    flow_run = FlowRun(name="run", flow_id=uuid4())
    try:
        workspace = asyncio.run(resolver.prepare_workspace(client, flow_run, deployment, Path(case["cwd"])))
    except BaseException as error:
        cause = error.__cause__ or error
        return {"error": f"{type(cause).__name__}: {cause}", "events": events, "lines": lines}
    environment = dict(workspace.environment)
    _restore_runner_environment(
        environment, {name: value for name, value in case["env"].items() if _runner_owns_environment_key(name)}
    )
    return {
        "directory": str(workspace.working_directory),
        "outputs": outputs,
        "environment": {name: value for name, value in environment.items() if case["env"].get(name) != value},
        "gone": [name for name in case["env"] if name not in environment],
        "python_path": [entry for entry in workspace.sys_path if not _is_interpreter_path(entry)],
        "events": events,
        "lines": lines,
    }


def in_child(case):
    answers, answer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(answers)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
        with os.fdopen(answer, "w") as out:
            json.dump(prepare(case), out, default=str)
        os._exit(0)
    os.close(answer)
    with os.fdopen(answers) as back:
        text = back.read()
    os.waitpid(pid, 0)
    return json.loads(text) if text else {"error": "the process ended", "events": [], "lines": []}


if __name__ == "__main__":
    print(json.dumps([in_child(case) for case in json.load(sys.stdin)]))
