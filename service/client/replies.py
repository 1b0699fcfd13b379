"""An answer as it came over the wire, and the problem in it, if it is one."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

LEAST_ERROR_STATUS: Final = 400
NO_JSON: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What a body that is not what it should be may raise."""

_PROBLEM: Final = "application/problem+json"


class Reply(msgspec.Struct, frozen=True):
    """A whole answer. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_error(self) -> bool:
        return self.status >= LEAST_ERROR_STATUS

    @property
    def replayed(self) -> bool | None:
        """Whether it is the stored answer of an earlier request with the same key; None where the service says not."""
        said = self.headers.get("idempotent-replayed")
        return None if said is None else said == "true"

    @property
    def is_of_the_service(self) -> bool:
        """Whether it is a problem in the service's own words, and not of something on the way."""
        document = self.problem() or {}
        return str(document.get("type", "")).startswith("/problems/") and isinstance(document.get("retry_with"), str)

    def problem(self) -> dict[str, Any] | None:
        """The problem's document (RFC 9457); None where the answer is none, as of a proxy that speaks for itself."""
        if not self.headers.get("content-type", "").startswith(_PROBLEM):
            return None
        try:
            document = msgspec.json.decode(self.body)
        except NO_JSON:
            return None
        return document if isinstance(document, dict) else None
