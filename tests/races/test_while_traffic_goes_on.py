"""What is read while others commit: messages without a gap, and an auditor who tells the truth."""

from collections import Counter, defaultdict
from typing import Any

from tests.accounts import Account
from tests.api.contract import rows
from tests.races.conftest import Processes
from tests.races.databases import audit_now
from tests.races.traffic import Traffic
from tests.running import audit

ENOUGH = 120


class Reader:
    """Reads messages as a client that catches up does: always on from `next_after`."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._after: str | None = None
        self.messages: list[dict[str, Any]] = []

    def read_page(self, limit: int = 50) -> int:
        query: dict[str, str | int] = {"limit": limit}
        if self._after is not None:
            query["after"] = self._after
        response = self._account.http.get("/v1/messages", params=query)
        assert response.status_code == 200, response.text
        page = response.json()
        self._after = page["next_after"]
        self.messages += page["messages"]
        return len(page["messages"])

    def read_to_the_end(self) -> None:
        while self.read_page(500):
            continue


def test_readers_who_page_while_others_commit_miss_no_message(callers: list[Account]) -> None:
    readers = [Reader(callers[0]), Reader(callers[-1])]
    with Traffic(callers) as traffic:
        while traffic.counts.total() < ENOUGH or len(readers[0].messages) < ENOUGH:
            for reader in readers:
                reader.read_page()
    for reader in readers:
        reader.read_to_the_end()
    # The worker goes on expiring: who reads later may read more, after the same.
    first, second = ([message["id"] for message in reader.messages] for reader in readers)
    assert first == second[: len(first)]
    versions: dict[str, list[int]] = defaultdict(list)
    for message in readers[0].messages:
        if message["type"] != "stock.adjusted":
            versions[message["reference"]].append(message["version"])
    # Every version of every reservation, each once and in its order. (The worker may have expired more since.)
    for reference, told in versions.items():
        assert told == list(range(1, len(told) + 1)), (reference, told)
    for reservation in rows(callers[0].http, "/v1/reservations", "reservations", limit=500):
        assert len(versions[reservation["reference"]]) >= reservation["version"] - 1, reservation
    told_by_type = Counter(message["type"] for message in readers[0].messages)
    counts = traffic.counts
    assert told_by_type["reservation.held"] == counts["hold 201"] == len(versions)
    assert told_by_type["reservation.confirmed"] == counts["confirm 200"]
    assert told_by_type["reservation.cancelled"] == counts["cancel 200"]
    assert told_by_type["reservation.extended"] == counts["extend 200"]
    assert told_by_type["reservation.released"] == counts["release 200"]


def test_audit_of_a_live_database_raises_no_false_alarm(processes: Processes, callers: list[Account]) -> None:
    with Traffic(callers, seed=77) as traffic:
        for _ in range(6):
            audit_now(processes.database_url)
        audit(processes.database_url)
    assert traffic.counts["hold 201"] > 0, traffic.counts


def test_list_read_by_pages_while_others_commit_shows_each_old_reservation_once(callers: list[Account]) -> None:
    with Traffic(callers, seed=5) as traffic:
        while traffic.counts["hold 201"] < 30:
            continue_reading = rows(callers[0].http, "/v1/reservations", "reservations", limit=7)
        before = {reservation["reference"] for reservation in continue_reading}
        shown = [r["reference"] for r in rows(callers[-1].http, "/v1/reservations", "reservations", limit=7)]
    assert len(shown) == len(set(shown))
    assert before <= set(shown)
