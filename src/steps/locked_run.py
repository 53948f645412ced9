"""Runs a command under a lock that belongs to this interpreter's environment.

`python locked_run.py PROGRAM ARG...` waits for the lock and becomes the program. The lock is held by the open file, so it
ends with the program, however that ends. pip itself takes no lock: two of them at a time break an environment.
"""

import hashlib
import os
import sys
import tempfile


def open_lock():
    name = ".lighterman-install.lock"
    flags = os.O_RDWR | os.O_CREAT
    try:
        return os.open(os.path.join(sys.prefix, name), flags, 0o666)
    except OSError:
        # An environment that is not ours to write to; pip will install for the user, or say so.
        digest = hashlib.sha256(sys.prefix.encode()).hexdigest()[:16]
        user = os.getuid()
        return os.open(os.path.join(tempfile.gettempdir(), "%s.%s.%s" % (name, user, digest)), flags, 0o600)


def main():
    command = sys.argv[1:]
    try:
        import fcntl

        lock = open_lock()
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stderr.write("Waiting for another installation into %s\n" % sys.prefix)
            sys.stderr.flush()
            fcntl.flock(lock, fcntl.LOCK_EX)
        os.set_inheritable(lock, True)
    except (ImportError, OSError) as error:
        sys.stderr.write("Installing without a lock: %s\n" % error)
        sys.stderr.flush()
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
