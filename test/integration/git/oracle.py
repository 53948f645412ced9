"""Runs the installed Prefect's git_clone for each case, one JSON line in, one out, in a directory of its own."""

import asyncio
import json
import os
import sys

import prefect._internal.retries as retries
from prefect.deployments.steps import git_clone


class Hurried:
    """asyncio for the retries, without their delays."""

    def __getattr__(self, name):
        return getattr(asyncio, name)

    @staticmethod
    async def sleep(seconds):
        return None


def answer(case):
    os.makedirs(case["cwd"])
    os.chdir(case["cwd"])
    try:
        return {"outputs": git_clone(**case["inputs"])}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


retries.asyncio = Hurried()
for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
