"""Whether this container's own server answers: exit code 0 for a 200, 1 for anything else.

    python healthcheck.py PATH [PORT]

The port is that of HOLDFAST_PORT, else 8000, unless it is given. Loopback only, and no proxy of the environment.
"""
# ruff: noqa: INP001 - a script of the image, no package

import os
import sys
from http.client import OK, HTTPConnection, HTTPException

SECONDS_MAX = 4


def answers(path: str, port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS_MAX)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    path, *port = sys.argv[1:]
    sys.exit(not answers(path, int(port[0] if port else os.environ.get("HOLDFAST_PORT", "8000"))))
