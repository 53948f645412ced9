"""Plays Prefect's engine (`python -m prefect.engine`), as the environment variable ENGINE_MODE says.

    complete: RUNNING, COMPLETED.             fail: RUNNING, FAILED, exit status 1.
    wait: RUNNING, then waits for SIGTERM and obeys the control channel (protocol 7.3).
    deaf: RUNNING, then waits; without the channel, so SIGTERM kills it.
    stubborn: as deaf, but ignores SIGTERM.   pending: waits without ever reporting RUNNING.
    die: RUNNING, then kills itself.          exit: ends with status 0 and says nothing to the server.
    gate: RUNNING, waits for the file named by ENGINE_GATE, COMPLETED.
    prefix: writes down its environment's directory; RUNNING, COMPLETED.

Appends a line to the file named by ENGINE_DIARY, so that executions can be counted.
"""

import json
import os
import signal
import socket
import sys
import threading
import time
import urllib.request

RUN = os.environ["PREFECT__FLOW_RUN_ID"]
MODE = os.environ.get("ENGINE_MODE", "complete")
PORT = int(os.environ.pop("PREFECT__CONTROL_PORT"))
TOKEN = os.environ.pop("PREFECT__CONTROL_TOKEN")
assert os.environ["PREFECT__FLOW_ENTRYPOINT"].startswith("flow.py:") and os.path.exists("flow.py")


def propose(kind, force=False):
    body = {"state": {"type": kind, "name": kind.capitalize()}, "force": force}
    url = f"{os.environ['PREFECT_API_URL']}/flow_runs/{RUN}/set_state"
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
    for _ in range(100):
        try:
            return json.load(urllib.request.urlopen(request, timeout=5))["status"]
        except OSError:
            time.sleep(0.1)
    sys.exit(9)


def write(line):
    if "ENGINE_DIARY" in os.environ:
        with open(os.environ["ENGINE_DIARY"], "a") as diary:
            diary.write(f"{line}\n")


def obey(control):
    intent = control.recv(1)
    if intent:
        write(f"intent {intent.decode()}")
        control.sendall(b"a")


def end(*_):
    write("SIGTERM")
    os._exit(0)


if MODE == "exit":
    sys.exit(0)
if MODE == "wait":
    signal.signal(signal.SIGTERM, end)
    channel = socket.create_connection(("127.0.0.1", PORT))
    channel.sendall(TOKEN.encode() + b"\n")
    threading.Thread(target=obey, args=(channel,), daemon=True).start()
if MODE == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
write(sys.prefix if MODE == "prefix" else RUN)
if MODE == "pending":
    signal.pause()
propose("RUNNING")
if MODE == "die":
    os.kill(os.getpid(), signal.SIGKILL)
while MODE in ("wait", "deaf", "stubborn"):
    signal.pause()
while MODE == "gate" and not os.path.exists(os.environ["ENGINE_GATE"]):
    time.sleep(0.02)
propose("FAILED" if MODE == "fail" else "COMPLETED")
sys.exit(1 if MODE == "fail" else 0)
