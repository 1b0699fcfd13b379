"""uvicorn's HTTP protocol with a bound on the head of a request, and with a problem where it has plain text.

A head that never ends would be kept in memory for ever: the parser has no limit of its own, and nothing of the service
has been asked yet. What the parser takes from one read of the socket (256 KB at most) is not counted.
"""

from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from service.ids import id_text, new_id
from service.problems import MEDIA_TYPE, render
from service.refusals import InvalidRequest

HEAD_BYTES_MAX: Final = 65_536
"""Request line and headers together, counted from the second read on."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """Ends a connection whose request has a head that is too long, or is no HTTP at all."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's own arguments
        super().__init__(*args, **kwargs)
        self._requests = 0
        self._head_open = False
        self._head_bytes = 0

    def data_received(self, data: bytes) -> None:
        requests = self._requests
        super().data_received(data)
        if self._head_open and self._requests == requests:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                self.send_400_response(f"has a head of more than {HEAD_BYTES_MAX} bytes")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._requests += 1
        self._head_open = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        self._head_open = False
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Close the connection; say why, unless an answer is under way that the words would get into."""
        answering = self.cycle is not None and not self.cycle.response_complete  # type: ignore[redundant-expr]
        if not answering:
            self.transport.write(_answer("is no HTTP/1.1" if msg.startswith("Invalid HTTP") else msg))
        self.transport.close()


def _answer(what: str) -> bytes:
    request_id = id_text(new_id())
    problem = render(InvalidRequest(errors=[("request", what)]), request_id)
    head = (
        f"Content-Type: {MEDIA_TYPE}\r\nContent-Length: {len(problem.body)}\r\n"
        f"X-Request-Id: {request_id}\r\nConnection: close\r\n\r\n"
    )
    return STATUS_LINE[problem.status] + head.encode() + problem.body
