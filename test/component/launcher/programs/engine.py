"""Speaks the engine's side of the control channel.

    engine.py MODE    obey: acknowledges an intent, ends with 0 on SIGTERM; deaf: connects and never answers;
                      report: sends a receipt and dies with exit code 7.
"""

import json
import os
import signal
import socket
import struct
import sys
import threading

mode = sys.argv[1]
port = int(os.environ.pop("PREFECT__CONTROL_PORT"))
token = os.environ.pop("PREFECT__CONTROL_TOKEN")
intent = b"none"


def end(*_):
    print(f"SIGTERM after {intent.decode()}", flush=True)
    os._exit(0)


signal.signal(signal.SIGTERM, end)
control = socket.create_connection(("127.0.0.1", port))
control.sendall(token.encode() + b"\n" + b"\x00PF\x02\x01")
assert control.recv(5) == b"\x00PF\x02\x01"
print("connected", flush=True)


def obey():
    global intent
    intent = control.recv(1)
    control.sendall(b"a")


if mode == "obey":
    threading.Thread(target=obey, daemon=True).start()
if mode == "report":
    body = json.dumps({"disposition": "STATE_REPORTED", "state_id": "x", "state_type": "FAILED", "state_name": "Failed"})
    control.sendall(b"\x01" + struct.pack("!I", len(body)) + body.encode())
    os._exit(7)
while True:
    signal.pause()
