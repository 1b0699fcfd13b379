"""A free port of this machine, for a server that is started here and may be down for a while."""

import os
import random
import socket
import sys
from collections import deque
from typing import Final

from service.demo.calls import HOST

# Below the range that kernels give to outgoing connections (from 32768 on Linux, 49152 elsewhere): while a server is
# down, no client's connection can take its port, and none can connect to itself.
PORTS: Final = range(20_000, 32_000)


KEPT: Final = 64
"""So many claims of a process are kept: far more than the servers that it starts at once."""

_claims: deque[int] = deque()


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens, and which no other process was given in the meantime."""
    while True:
        port = random.choice(PORTS)  # noqa: S311 - so that two processes do not try the same ones
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        if _claimed(port):
            return port


def _claimed(port: int) -> bool:
    """Whether the port is this process's now. Until a server listens on it, it looks free to everybody else."""
    if sys.platform != "linux":  # Only there a name ends with its process, without leaving a file.
        return True
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0holdfast-port-{port}")
    except OSError:
        claim.close()
        return False
    _claims.append(claim.detach())
    if len(_claims) > KEPT:
        os.close(_claims.popleft())
    return True
