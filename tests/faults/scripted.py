"""A server that is not Holdfast: it answers what the test has written, as whatever stands before a service may."""

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Answer = Callable[[bytes], Iterator[bytes]]
"""Of a request's head, the pieces of its answer; between two the server waits for `Scripted.pause_s`."""


class Scripted(socketserver.ThreadingTCPServer):
    """Reads whole requests and answers as it was told; closes the connection where the answer is over."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, answer: Answer, pause_s: float) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.answer = answer
        self.pause_s = pause_s
        self.over = threading.Event()
        self.heads: list[bytes] = []


class _Conversation(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server = self.server
        assert isinstance(server, Scripted)
        try:
            head = self._request()
            if head:
                server.heads.append(head)
                for piece in server.answer(head):
                    self.request.sendall(piece)
                    if server.pause_s and server.over.wait(server.pause_s):
                        return
        except OSError:
            pass  # the client has gone

    def _request(self) -> bytes:
        """The head of a request whose body has come, too."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.request.recv(65_536)
            if not more:
                return b""
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        while len(body) < int(lengths[0] if lengths else 0):
            body += self.request.recv(65_536)
        return head


@contextmanager
def scripted(answer: Answer, pause_s: float = 0) -> Iterator[Scripted]:
    with Scripted(answer, pause_s) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
            thread.join()
