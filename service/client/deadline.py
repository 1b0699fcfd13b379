"""An attempt with threads is over when its time is, however slowly bytes come.

httpx bounds each read and write by itself: a network that lets a byte through now and then would never be over. So the
connections of a client go through here, where each operation gets what is left of the attempt in whose thread it runs.
Only the system's resolver of names keeps times of its own.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpx

LEAST_S: Final = 0.001


class Deadline(threading.local):
    """When the attempt of this thread is over, by the monotonic clock."""

    over: float | None = None

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        self.over = time.monotonic() + seconds
        try:
            yield
        finally:
            self.over = None

    def rest(self, timeout: float | None) -> float | None:
        """What an operation that asks for this timeout may take. Raises TimeoutError where nothing is left."""
        if self.over is None:
            return timeout
        left = self.over - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer was not whole in time")
        return max(LEAST_S, left if timeout is None else min(timeout, left))


class _Bounded:
    """A stream of httpcore's whose operations end with the attempt."""

    def __init__(self, stream: Any, deadline: Deadline) -> None:  # noqa: ANN401 - httpcore's, which is httpx's matter
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data: bytes = self._stream.read(max_bytes, self._deadline.rest(timeout))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.rest(timeout))

    def start_tls(self, ssl_context: object, server_hostname: str | None = None, timeout: float | None = None) -> Any:  # noqa: ANN401
        return _Bounded(
            self._stream.start_tls(ssl_context, server_hostname, self._deadline.rest(timeout)), self._deadline
        )

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - what needs no bound
        return getattr(self._stream, name)


class _BoundedBackend:
    """httpcore's way to make connections, each bounded."""

    def __init__(self, backend: Any, deadline: Deadline) -> None:  # noqa: ANN401 - httpcore's
        self._backend = backend
        self._deadline = deadline

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, **options: Any) -> _Bounded:  # noqa: ANN401
        stream = self._backend.connect_tcp(host, port, timeout=self._deadline.rest(timeout), **options)
        return _Bounded(stream, self._deadline)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - what needs no bound
        return getattr(self._backend, name)


def bounded(client: httpx.Client) -> Deadline:
    """The deadline that all of the client's connections keep from now on."""
    deadline = Deadline()
    # No option of httpx leads there. Where a release of it has other names, test_client_garbage.py says so.
    for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001
        if isinstance(transport, httpx.HTTPTransport):
            pool: Any = transport._pool  # noqa: SLF001
            pool._network_backend = _BoundedBackend(pool._network_backend, deadline)  # noqa: SLF001
    return deadline
