"""Pages of inventory's lists, all of which are in the order in which their rows were created.

A cursor holds the id of the last row shown. One row more than a page is read: it tells whether there is a next page.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from service.http.cursor import decode_cursor, encode_cursor
from service.http.parameters import PageQuery

Row = TypeVar("Row")

_FIRST = b""
"""Less than every id."""


class Page:
    """Which rows a request asks for, and how to cut what was read to that."""

    def __init__(self, query: PageQuery, account_id: bytes, *list_name: str | None) -> None:
        """`list_name` is all that makes the list another one: collection, event, filters.

        Raises InvalidRequest: the cursor is not one of this list.
        """
        self._scope = msgspec.msgpack.encode((account_id, *list_name))
        self._limit = query.limit
        self.after: bytes = _FIRST if query.cursor is None else decode_cursor(self._scope, query.cursor)[0]
        self.rows_wanted = query.limit + 1

    def cut(self, rows: Sequence[Row], id_of: Callable[[Row], bytes]) -> tuple[Sequence[Row], str | None]:
        """The page's rows, and the cursor of the next page."""
        if len(rows) <= self._limit:
            return rows, None
        shown = rows[: self._limit]
        return shown, encode_cursor(self._scope, (id_of(shown[-1]),))
