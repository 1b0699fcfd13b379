"""Pages of inventory's lists, all of which are in the order of the names that their rows have within the account.

A name never changes, so a list is stable while rows are added, whatever the order in which their transactions commit.
A cursor holds the name of the last row shown. One row more than a page is read: it tells whether there is a next page.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from service.http.cursor import decode_cursor, encode_cursor
from service.http.parameters import PageQuery

Row = TypeVar("Row")


class Page:
    """Which rows a request asks for, and how to cut what was read to that."""

    def __init__(self, query: PageQuery, account_id: bytes, *list_name: str | None) -> None:
        """`list_name` is all that makes the list another one: collection, event, filters.

        Raises InvalidRequest: the cursor is not one of this list.
        """
        self._scope = msgspec.msgpack.encode((account_id, *list_name))
        self._limit = query.limit
        self.rows_wanted = query.limit + 1
        self.after: tuple[str, ...] | None = None
        """The name after which the page begins; None for the first page."""
        if query.cursor is not None:
            self.after = decode_cursor(self._scope, query.cursor)

    def cut(self, rows: Sequence[Row], name_of: Callable[[Row], tuple[str, ...]]) -> tuple[Sequence[Row], str | None]:
        """The page's rows, and the cursor of the next page."""
        if len(rows) <= self._limit:
            return rows, None
        shown = rows[: self._limit]
        return shown, encode_cursor(self._scope, name_of(shown[-1]))
