# CPython's own: socket.sendfile() on a blocking socket, or _sendfile_use_send(), its copy path. One client.
#
#   cpython.py sendfile|_sendfile_use_send FILE

import json
import resource
import signal
import socket
import sys
import time

method, path = sys.argv[1:]
signal.alarm(600)
listener = socket.create_server(("127.0.0.1", 0))
print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
connection, _ = listener.accept()

t0 = time.monotonic()
r0 = resource.getrusage(resource.RUSAGE_SELF)
with open(path, "rb") as file:
    getattr(connection, method)(file)
connection.shutdown(socket.SHUT_WR)
while connection.recv(1):
    pass
r1 = resource.getrusage(resource.RUSAGE_SELF)
wall = time.monotonic() - t0
print(json.dumps({
    "wall": wall,
    "user": r1.ru_utime - r0.ru_utime,
    "system": r1.ru_stime - r0.ru_stime,
    "rss": r1.ru_maxrss << 10,
}))
