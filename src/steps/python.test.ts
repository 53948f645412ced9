import { it } from "vitest";

import { interpreterOfCommand } from "./python.ts";

it.for<[string, string | null]>([
  ["/x/venv/bin/python -m prefect.engine", "/x/venv/bin/python"],
  ["python3.12 -m prefect.flow_engine f.py:main", "python3.12"],
  ["pypy3 -m prefect.engine", "pypy3"],
  ["uv run python -m prefect.engine", null],
  ["./python-wrapper.sh", null],
  ["prefect flow-run execute", null],
])("interpreterOfCommand of %s is %s", ([command, interpreter], { expect }) => {
  expect(interpreterOfCommand(command.split(" "))).toBe(interpreter);
});
