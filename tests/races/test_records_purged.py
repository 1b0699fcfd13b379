"""Old idempotency records are purged while their requests are sent again (reliability.md, row 17)."""

from threading import Event, Thread

from tests.accounts import Account
from tests.api.contract import refused
from tests.api.reading import references, stock_counts
from tests.make import hold, new_idempotency_key, put_stock
from tests.races.crowd import crowd
from tests.races.purging import age_records, purge_until

UNIT = [{"sku": "NW-001", "quantity": 1}]
CALLERS = 40


def test_row_17_retries_against_the_purge_replay_or_meet_the_natural_key(callers: list[Account]) -> None:
    put_stock(callers[0], on_hand=1000)
    keys = [new_idempotency_key() for _ in range(CALLERS)]

    def send(caller: Account, number: int) -> object:
        return hold(caller, UNIT, key=keys[number], external_reference=f"order-{number}")

    first = crowd(callers, CALLERS, send)
    assert {answer.status_code for answer in first} == {201}
    age_records(callers[0])
    over, purged = Event(), list[int]()
    purge = Thread(target=purge_until, args=(over, callers[0], purged))
    purge.start()
    again = crowd(callers, CALLERS, send)
    over.set()
    purge.join()
    assert sum(purged) >= CALLERS
    for before, answer in zip(first, again, strict=True):
        if answer.status_code == 201:
            assert answer.content == before.content
            assert answer.headers["Idempotent-Replayed"] == "true"
        else:
            problem = refused(answer, "external-reference-exists")
            assert problem["reference"] == before.json()["reference"]
    assert len(references(callers[0], limit=500)) == CALLERS
    assert stock_counts(callers[0]) == (CALLERS, 0, 1000 - CALLERS)
