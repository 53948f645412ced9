"""Runs the pull steps of a flow run that need its image, within the run's container, and then becomes the run's engine.

`image_bridge.py SOCKET WORKSPACE` calls the worker, greets it with a line of JSON, and answers each request by one, as bridge.py does; it
lies beside that. It writes into the workspace only. Standard library only, Python 3.8 and newer.
"""

import json
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading

import bridge

# How long the engine may take to note why it is to end.
ANSWER_SECONDS = 1
# Lies beside the socket when the run is being cancelled.
INTENT = "cancelled"
# The exit status of a container whose worker is gone before the run has begun (EX_TEMPFAIL).
WORKER_IS_GONE = 75


def main(path, workspace):
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(path)
    except OSError as error:
        print("The worker cannot be reached at %s: %s" % (path, error), file=sys.stderr)
        sys.exit(WORKER_IS_GONE)
    has_begun = threading.Event()
    threading.Thread(target=end_without_worker, args=(connection, has_begun), daemon=True).start()
    if sys.path[:1] == [os.path.dirname(os.path.abspath(__file__))]:
        del sys.path[0]
    sys.path.insert(0, os.getcwd())
    baseline = bridge.absolute(sys.path)
    environment = {name: value for name, value in os.environ.items() if bridge.is_text(name) and bridge.is_text(value)}
    mark = ".lighterman-" + secrets.token_hex(8)  # the worker sees by it who we are there, and takes it away
    open(os.path.join(workspace, mark), "x").close()
    send(connection, {"cwd": os.getcwd(), "env": environment, "python": sys.executable, "mark": mark})
    for line in connection.makefile("rb"):
        request = json.loads(line)
        reply = bridge.serve(request, baseline)
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                pass  # a step closed or replaced it
        send(connection, reply)
        if request["op"] == "become" and "error" not in reply:
            has_begun.set()
            connection.shutdown(socket.SHUT_RDWR)  # tells the worker that it is done
            if request.get("is_engine"):
                sys.exit(run_engine(request["command"], request["env"], os.path.join(os.path.dirname(path), INTENT)))
            os.execvpe(request["command"][0], request["command"], request["env"])
    sys.exit(WORKER_IS_GONE)  # where the end of the requests is seen before the thread sees that of the connection


def send(connection, message):
    connection.sendall((json.dumps(message) + "\n").encode())


def end_without_worker(connection, has_begun):
    watch = select.poll()
    watch.register(connection, 0)
    watch.poll()
    if not has_begun.is_set():
        os._exit(WORKER_IS_GONE)


def run_engine(command, env, intent_file):
    """Runs the engine, and lets it know over its control channel when SIGTERM means that the run is cancelled."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)
    token = secrets.token_hex(16)
    engine = subprocess.Popen(
        command,
        env={**env, "PREFECT__CONTROL_PORT": str(listener.getsockname()[1]), "PREFECT__CONTROL_TOKEN": token},
        start_new_session=True,
    )
    connections = []

    def accept():
        while not connections:
            connection = listener.accept()[0]
            connection.settimeout(ANSWER_SECONDS)
            try:
                if read_until(connection, b"\n").strip() == token.encode():
                    connections.append(connection)
            except OSError:
                connection.close()

    def end(*_):
        if os.path.exists(intent_file):
            for connection in connections:
                try:
                    connection.sendall(b"c")
                    read_until(connection, b"a")
                except OSError:
                    pass  # it ends without knowing why
        try:
            os.killpg(engine.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass

    signal.signal(signal.SIGTERM, end)
    threading.Thread(target=accept, daemon=True).start()
    status = engine.wait()
    return status if status >= 0 else 128 - status


def read_until(connection, last):
    received = b""
    while not received.endswith(last):
        byte = connection.recv(1)
        if byte == b"":
            break
        received += byte
    return received


def change_directory(request):
    directory = os.path.abspath(os.path.expanduser(request["directory"]))
    if not os.path.isdir(directory):
        raise NotThere("There is no directory %s in the container" % directory)
    os.chdir(directory)
    return bridge.outputs({"directory": os.getcwd()})


def look_for(request):
    return {**bridge.outputs(), "missing": bridge.missing(request["requires"])}


def install(request):
    """Installs packages with this interpreter's pip, and tells its last lines when it fails."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", *request["packages"]]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = done.stdout.decode(errors="replace")
    print(text, end="")
    return {**bridge.outputs(), "status": done.returncode, "tail": "\n".join(text.rstrip().split("\n")[-bridge.TRACEBACK_LINES:])}


def become(request):
    """Looks whether the engine will find its code and its program; what is wrong is said here, where it can be."""
    entrypoint = request["entrypoint"]
    path = (entrypoint or "").rpartition(":")[0] or (entrypoint or "")
    if path.endswith(".py") and not os.path.exists(path):
        names = sorted(os.listdir("."))
        listing = ", ".join(names[:12]) + (", and %d more" % (len(names) - 12) if len(names) > 12 else "")
        raise NotThere(
            "The entrypoint %s was not found: there is no file %s in the container; the directory %s holds: %s"
            % (entrypoint, os.path.abspath(path), os.getcwd(), listing or "nothing")
        )
    program = request["command"][0]
    if shutil.which(program, path=request["env"].get("PATH")) is None:
        raise NotThere("There is no program %s in the image" % program)
    return bridge.outputs()


class NotThere(Exception):
    """Its text says it all."""


bridge.OPERATIONS.update(
    {"chdir": change_directory, "look": look_for, "install": install, "become": become}
)

if __name__ == "__main__":
    main(*sys.argv[1:])
