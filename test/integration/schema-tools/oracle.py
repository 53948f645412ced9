"""Checks values against schemas with the installed Prefect: a JSON list of cases in, a JSON list of answers out."""

import json
import sys

from prefect.utilities.schema_tools.validation import CircularSchemaRefError, ValidationError, validate


def answer(case):
    try:
        validate(
            case["value"],
            case["schema"],
            raise_on_error=True,
            preprocess=case["preprocess"],
            ignore_required=case["ignoreRequired"],
            allow_none_with_default=case["allowNoneWithDefault"],
        )
    except ValidationError as exc:
        return str(exc)
    except CircularSchemaRefError:
        return "circular"
    return None


print(json.dumps([answer(case) for case in json.load(sys.stdin)]))
