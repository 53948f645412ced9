"""What our reader's two ways say of flows: the source, and the installed Prefect.

Usage: flow_oracle.py READER    with the directory of flow_reader.py. Entrypoints come as lines of JSON on stdin; each is answered by
a line {"plain": whether the source is trusted, "source": JSON text, "prefect": JSON text}, with the reason in place of
what cannot be read.
"""

import json
import os
import sys

sys.path.insert(0, sys.argv[1])
import flow_reader  # noqa: E402

replies = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
quick, prefect = flow_reader.QuickReader(), flow_reader.PrefectReader()


def said(reader, entrypoint):
    try:
        return json.dumps(reader.read(entrypoint), sort_keys=True, indent=1, default=str)
    except BaseException as error:
        return "%s: %s" % (type(error).__name__, error)


for line in sys.stdin:
    entrypoint = json.loads(line)
    answer = {
        "plain": quick.says_all(*flow_reader.split(entrypoint)),
        "source": said(quick.source, entrypoint),
        "prefect": said(prefect, entrypoint),
    }
    replies.write(json.dumps(answer) + "\n")
    replies.flush()
