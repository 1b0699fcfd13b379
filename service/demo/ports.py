"""A free port of this machine, for a server that is started here and may be down for a while."""

import random
import socket
from typing import Final

from service.demo.calls import HOST

# Below the range that kernels give to outgoing connections (from 32768 on Linux, 49152 elsewhere): while a server is
# down, no client's connection can take its port, and none can connect to itself.
PORTS: Final = range(20_000, 32_000)


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens."""
    while True:
        port = random.choice(PORTS)  # noqa: S311 - so that two processes do not try the same ones
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        return port
