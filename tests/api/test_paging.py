"""Pages of every collection: each row once, in the promised size, whatever is added and whoever forges a cursor."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from tests.accounts import Account
from tests.api.contract import EVENT, STOCK, items, labelled, pages, refused, refused_as_invalid, rows, stocked
from tests.api.reading import done, held
from tests.make import put_event, put_stock

Json = dict[str, Any]
PATHS = ("/v1/events", "/v1/events/final/seats", "/v1/stock", "/v1/reservations", "/v1/messages")


class Collection(NamedTuple):
    """How to fill a collection of an account with rows, and what to call a row; `add` is given 0, 1, 2 and so on."""

    plural: str
    path: str
    name: str
    prepare: Callable[[Account], str]
    add: Callable[[Account, str, int], str]


def nothing(_: Account) -> str:
    return ""


def add_event(account: Account, _: str, index: int) -> str:
    name = f"event-{index * 7 % 100:02}"
    assert account.http.put(f"/v1/events/{name}", json=EVENT).status_code == 201
    return name


def with_event(account: Account) -> str:
    assert account.http.put("/v1/events/final", json=EVENT).status_code == 201
    return ""


def add_seat(account: Account, _: str, index: int) -> str:
    label = f"{101 + index % 3}-A-{index * 7 % 100}"
    items(account.http.put("/v1/events/final/seats", json={"seats": [labelled(label)]}))
    return label


def add_stock(account: Account, _: str, index: int) -> str:
    sku = f"NW-{index * 7 % 100:03}"
    assert account.http.put(f"/v1/stock/{sku}", json=STOCK).is_success
    return sku


def with_stock(account: Account) -> str:
    put_stock(account, on_hand=1000)
    return ""


def add_reservation(account: Account, _: str, __: int) -> str:
    return str(held(account, [{"sku": "NW-001", "quantity": 1}])["reference"])


def with_reservation(account: Account) -> str:
    put_stock(account)
    return str(held(account, [{"sku": "NW-001", "quantity": 1}])["reference"])


def add_change(account: Account, reference: str, index: int) -> int:
    return int(done(account, reference, "extend", {"hold_seconds": 1200 + index})["version"])


COLLECTIONS = (
    Collection("events", "/v1/events", "event", nothing, add_event),
    Collection("seats", "/v1/events/final/seats", "seat", with_event, add_seat),
    Collection("stock", "/v1/stock", "sku", nothing, add_stock),
    Collection("reservations", "/v1/reservations", "reference", with_stock, add_reservation),
    Collection("history", "/v1/reservations/{}/history", "version", with_reservation, add_change),
)
EVERY = pytest.mark.parametrize("collection", COLLECTIONS, ids=[collection.plural for collection in COLLECTIONS])


def filled(account: Account, collection: Collection, count: int) -> tuple[str, str, list[Any]]:
    """The path of the collection, what its rows belong to, and the names of so many rows, oldest first."""
    parent = collection.prepare(account)
    names = [collection.add(account, parent, index) for index in range(count)]
    if collection.plural == "history":
        names = [1, *names]
    return collection.path.format(parent), parent, names


@EVERY
@pytest.mark.parametrize("limit", [1, 3, 6, 7, 500])
def test_pages_hold_every_row_once(account: Account, collection: Collection, limit: int) -> None:
    path, _, names = filled(account, collection, 6)
    found = list(pages(account.http, path, collection.plural, limit=limit))
    assert all(len(page) <= limit for page in found), [len(page) for page in found]
    assert all(found[:-1]), "an empty page before the end"
    listed = [row[collection.name] for page in found for row in page]
    assert sorted(listed) == sorted(names)


@EVERY
def test_pages_are_the_whole_list_cut_in_pieces(account: Account, collection: Collection) -> None:
    path, _, _ = filled(account, collection, 6)
    whole = [row[collection.name] for row in rows(account.http, path, collection.plural)]
    cut = [row[collection.name] for row in rows(account.http, path, collection.plural, limit=2)]
    assert cut == whole


@EVERY
def test_list_stays_correct_while_rows_are_added(account: Account, collection: Collection) -> None:
    path, parent, names = filled(account, collection, 6)
    added = []
    listed = []
    for index, page in enumerate(pages(account.http, path, collection.plural, limit=2)):
        listed.extend(row[collection.name] for row in page)
        if index < 4:
            added.append(collection.add(account, parent, 6 + index))
    assert len(listed) == len(set(listed)), f"a row came twice: {listed}"
    assert set(names) <= set(listed) <= set(names) | set(added)


def test_reservations_come_newest_first(account: Account) -> None:
    put_stock(account)
    made = [add_reservation(account, "", 0) for _ in range(5)]
    for limit in (2, 100):
        listed = [row["reference"] for row in rows(account.http, "/v1/reservations", "reservations", limit=limit)]
        assert listed == made[::-1]


def test_empty_collections_end_at_once(account: Account) -> None:
    with_event(account)
    for path, plural in (
        ("/v1/stock", "stock"),
        ("/v1/reservations", "reservations"),
        ("/v1/events/final/seats", "seats"),
    ):
        assert items(account.http.get(path)) == {plural: [], "next_cursor": None}


def test_page_holds_a_hundred_rows_unless_told_otherwise(account: Account) -> None:
    put_event(account, seats=[f"101-{row}-{number}" for row in "ABCDEF" for number in range(1, 101)])
    path = "/v1/events/final/seats"
    assert len(items(account.http.get(path))["seats"]) == 100
    assert [len(page) for page in pages(account.http, path, "seats", limit=500)] == [500, 100]


def test_cursor_keeps_its_filter(account: Account) -> None:
    put_event(account, seats=[f"{section}-A-{number}" for section in ("101", "102") for number in range(1, 6)])
    found = rows(account.http, "/v1/events/final/seats", "seats", section="102", limit=2)
    assert sorted(seat["seat"] for seat in found) == [f"102-A-{number}" for number in range(1, 6)]


@pytest.mark.parametrize("limit", ["1", "100", "500"])
def test_limit_from_1_to_500_is_good(account: Account, limit: str) -> None:
    stocked(account)
    for path in PATHS:
        items(account.http.get(path, params={"limit": limit}))


BAD_LIMITS = ("0", "501", "-1", "", "ten", "1.5", "1e2", "0x10", "10,10", "true", "9" * 31)


@pytest.mark.parametrize("limit", BAD_LIMITS)
def test_limit_outside_1_to_500_or_no_number_is_invalid(account: Account, limit: str) -> None:
    stocked(account)
    for path in PATHS:
        response = account.http.get(path, params={"limit": limit})
        assert response.status_code == 400, f"{path} took limit={limit!r} and answered {response.status_code}"
        refused_as_invalid(response, "limit")


FOREIGN_CURSORS = {
    "empty": "",
    "a word": "next",
    "a number": "2",
    "null": "null",
    "SQL": "' OR '1'='1",
    "a path": "../../etc/passwd",
    "NUL": "\0",
    "base64 of nothing of ours": "eyJhZnRlciI6IDF9",
    "other scripts": "決勝",
    "ten thousand letters": "A" * 10_000,
}


@EVERY
def test_cursor_that_is_not_one_of_ours_is_invalid(account: Account, collection: Collection) -> None:
    path, _, _ = filled(account, collection, 1)
    for what, cursor in FOREIGN_CURSORS.items():
        response = account.http.get(path, params={"cursor": cursor})
        assert response.status_code == 400, f"{what}: {response.status_code} {response.text[:200]}"
        refused_as_invalid(response, "cursor")


def tampered(cursor: str) -> Iterator[str]:
    """The cursor with one symbol changed, at each of several places, cut short, lengthened, and turned round."""
    for place in {0, 1, len(cursor) // 3, len(cursor) // 2, len(cursor) - 2, len(cursor) - 1}:
        other = "B" if cursor[place] == "A" else "A"
        yield cursor[:place] + other + cursor[place + 1 :]
    yield cursor[:-1]
    yield cursor[: len(cursor) // 2]
    yield cursor + "A"
    yield cursor + cursor
    yield cursor.swapcase()
    yield cursor[::-1]


@EVERY
def test_cursor_that_was_tampered_with_is_invalid(account: Account, collection: Collection) -> None:
    path, _, _ = filled(account, collection, 3)
    cursor = items(account.http.get(path, params={"limit": 1}))["next_cursor"]
    for forged in tampered(cursor):
        response = account.http.get(path, params={"cursor": forged})
        assert response.status_code == 400, f"{cursor} was changed to {forged} and led to {response.text[:200]}"
        refused(response, "invalid-request")
    assert account.http.get(path, params={"cursor": cursor}).status_code == 200
