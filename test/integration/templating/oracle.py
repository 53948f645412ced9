"""Answers templating cases with the installed Prefect: one JSON line in, one JSON line out.

Every answer holds the result as JSON and as Python's repr, which shows types and key order, or the fact of an error.
"""

import asyncio
import json
import os
import sys
from types import SimpleNamespace
from unittest import mock

import httpx
from prefect.exceptions import ObjectNotFound
from prefect.utilities.annotations import NotSet
from prefect.utilities.templating import (
    apply_values,
    find_placeholders,
    resolve_block_document_references,
    resolve_variables,
)
from prefect.workers.base import BaseJobConfiguration
from prefect.workers.process import ProcessWorker


class StubClient:
    """The few reads that templating does, answered from a case, and counted."""

    def __init__(self, case):
        self.case = case
        self.reads = []

    def _missing(self):
        request = httpx.Request("GET", "http://stub/")
        response = httpx.Response(404, request=request)
        return ObjectNotFound(httpx.HTTPStatusError("404", request=request, response=response))

    def _document(self, key):
        self.reads.append(key)
        if key not in self.case.get("blocks", {}):
            raise self._missing()
        return SimpleNamespace(data=self.case["blocks"][key])

    async def read_block_document_by_name(self, name, block_type_slug):
        return self._document(f"{block_type_slug}/{name}")

    async def read_block_document(self, block_document_id):
        return self._document(block_document_id)

    async def read_variable_by_name(self, name):
        self.reads.append(name)
        if name not in self.case.get("variables", {}):
            return None
        return SimpleNamespace(value=self.case["variables"][name])

    async def read_deployment(self, deployment_id):
        raise AssertionError("the deployment is handed in")

    async def read_flow(self, flow_id):
        return None


class Recorder:
    """Takes the place of the configuration class, to see what it would be made from."""

    _get_base_config_defaults = staticmethod(BaseJobConfiguration._get_base_config_defaults)
    from_template_and_values = classmethod(BaseJobConfiguration.from_template_and_values.__func__)
    resolve_for_flow_run = classmethod(BaseJobConfiguration.resolve_for_flow_run.__func__)

    def __init__(self, **fields):
        self.fields = fields

    def prepare_for_flow_run(self, **_):
        pass


async def answer(case):
    function = case["fn"]
    client = StubClient(case)
    result = None
    if function == "find":
        result = sorted([p.full_match, p.name, p.type.value] for p in find_placeholders(case["template"]))
    elif function == "apply":
        result = apply_values(
            case["template"],
            case["values"],
            remove_notset=case.get("remove_notset", True),
            skip_prefixes=case.get("skip_prefixes"),
        )
    elif function == "blocks":
        result = await resolve_block_document_references(case["template"], client=client)
    elif function == "variables":
        result = await resolve_variables(case["template"], client=client)
    elif function == "job":
        configuration = await Recorder.resolve_for_flow_run(
            SimpleNamespace(deployment_id="d", flow_id="f", job_variables=case["run"]),
            client=client,
            work_pool=SimpleNamespace(base_job_template=case["base"]),
            worker_name="w",
            deployment=SimpleNamespace(job_variables=case["deployment"]),
        )
        result = configuration.fields
    elif function == "env":
        result = BaseJobConfiguration(env=case["template"]).env
    elif function == "name":
        dumped = lambda data: SimpleNamespace(model_dump=lambda mode: data, **data)  # noqa: E731
        configuration = BaseJobConfiguration(name=case["template"])
        configuration.prepare_for_flow_run(
            flow_run=dumped(case["flow_run"]),
            flow=dumped(case["flow"]),
        )
        result = str(configuration.name)
    elif function == "repr":
        result = case["template"]
    elif function == "process-template":
        result = ProcessWorker.get_default_base_job_template()
    else:
        raise SystemExit(f"unknown function {function!r}")
    if result is NotSet:
        return {"not_set": True, "reads": sorted(client.reads)}
    return {"json": result, "repr": repr(result), "reads": sorted(client.reads)}


async def main():
    for line in sys.stdin:
        case = json.loads(line)
        with mock.patch.dict(os.environ, case.get("env", {}), clear=True):
            try:
                reply = await answer(case)
            except Exception as error:  # every failure is an answer
                reply = {"error": f"{type(error).__name__}: {error}"}
        try:
            text = json.dumps(reply, allow_nan=False)
        except ValueError:  # infinity has no JSON form; its repr tells enough
            text = json.dumps({**reply, "json": None, "no_json": True})
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


asyncio.run(main())
