"""Plays the service manager: binds the datagram socket that it is given (`@name` is an abstract one), prints each message on a line."""

import json
import socket
import sys

address = sys.argv[1]
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind("\0" + address[1:] if address.startswith("@") else address)
print("ready", flush=True)
while True:
    print(json.dumps(receiver.recv(65536).decode().split("\n")), flush=True)
