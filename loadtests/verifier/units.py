"""Seats and units of stock: never more claimed at one time than there are, and the counts are what the lines say.

Time is the order of the transactions (`moments.py`). What ends in one makes room for what begins in it.
"""

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from loadtests import version_chain
from loadtests.verifier.asked_lines import ShownLine
from loadtests.verifier.moments import JOINS, moment_of
from loadtests.verifier.rows import Row, Rows, pages, text
from loadtests.verifier.verdict import Findings

ENDS, COUNTED, BEGINS = 0, 1, 2
"""The order of what happens at one moment."""

SEAT_HELD, SEAT_CONFIRMED = 1, 2
SEAT_STATES = {"held": SEAT_HELD, "confirmed": SEAT_CONFIRMED}

SEATS = "SELECT id, seat, state FROM seats WHERE account_id = ? AND id > ? ORDER BY id"
STOCK = """
SELECT id, sku, location, on_hand, held, confirmed, definition_version
FROM stock_items WHERE account_id = ? AND id > ? ORDER BY id"""
COUNTS = """
SELECT {moment}, m.body, m.version, m.action, m.batch_id
FROM messages m {joins} WHERE m.account_id = ? AND m.subject_id = ? ORDER BY m.version"""

Unit = tuple[bool, str | None, str | None]
"""Whether it is a seat; event and label, or SKU and location."""
Change = tuple[int, int, int]
"""The moment, the kind of change (ENDS, COUNTED, BEGINS), and by how many units, or to how many."""


class _Counted(msgspec.Struct, frozen=True):
    on_hand: int


class Units:
    """What the reservations claim, over time and now."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._changes: defaultdict[Unit, list[Change]] = defaultdict(list)
        self._seats_taken: dict[bytes, int] = {}
        self._stock_taken: defaultdict[bytes, list[int]] = defaultdict(lambda: [0, 0])

    def note_steps(self, steps: Sequence[tuple[int, Sequence[ShownLine]]]) -> None:
        """One reservation's steps: when each was, and the lines that claimed units after it."""
        before: dict[Unit, int] = {}
        for moment, lines in steps:
            after = {_unit(line): line.quantity for line in lines}
            for unit in before.keys() - after.keys():
                self._changes[unit].append((moment, ENDS, -before[unit]))
            for unit in after.keys() - before.keys():
                self._changes[unit].append((moment, BEGINS, after[unit]))
            before = after

    def note_lines(self, reference: str, state: str, lines: Sequence[Row]) -> None:
        """One reservation's lines as they are now."""
        for _, _, inventory_id, seat_id, live, name, place, quantity, *_ in lines:
            if live is None or state not in SEAT_STATES:
                continue
            if seat_id is None:
                self._stock_taken[bytes(inventory_id)][state == "confirmed"] += quantity
            elif bytes(seat_id) in self._seats_taken:
                self._findings.add("oversold", f"seat {text(place)} of {text(name)} is taken by {reference}, too")
            else:
                self._seats_taken[bytes(seat_id)] = SEAT_STATES[state]

    def judge(self, rows: Rows, account_id: bytes) -> None:
        """Holds what was noted against the seats and stock items that there are."""
        for page in pages(rows, SEATS, account_id):
            for seat_id, label, state in page:
                self._judge_seat(bytes(seat_id), text(label), state)
        counts = COUNTS.format(moment=moment_of(rows, account_id), joins=JOINS)
        for page in pages(rows, STOCK, account_id):
            for row in page:
                self._judge_stock(row, rows.select(counts, (account_id, bytes(row[0]))))
        for unit, changes in self._changes.items():
            self._judge_over_time(unit, changes)
        if self._seats_taken or self._stock_taken:
            left = len(self._seats_taken) + len(self._stock_taken)
            self._findings.add("untrue", f"{left} seats or stock items are claimed and do not exist")

    def _judge_seat(self, seat_id: bytes, label: str | None, state: int) -> None:
        taken = self._seats_taken.pop(seat_id, None)
        if taken != (state if state in SEAT_STATES.values() else None):
            self._findings.add("untrue", f"seat {label} is in state {state}, and its reservation says {taken}")

    def _judge_stock(self, row: Row, counts: Sequence[Row]) -> None:
        id_, sku, location, on_hand, held, confirmed, version = row
        unit = (False, text(sku), text(location))
        of_lines = self._stock_taken.pop(bytes(id_), [0, 0])
        if [held, confirmed] != of_lines:
            words = f"has {held} held and {confirmed} confirmed, and its reservations {of_lines}"
            self._findings.add("untrue", f"stock {unit[1]} at {unit[2]} {words}")
        if held + confirmed > on_hand:
            self._findings.add("oversold", f"stock {unit[1]} at {unit[2]}: {held + confirmed} claimed of {on_hand}")
        for moment, body, *_ in counts:
            self._changes[unit].append((moment, COUNTED, msgspec.json.decode(body, type=_Counted).on_hand))
        name = f"stock {unit[1]} at {unit[2]}"
        steps = [
            version_chain.Change(name, at, None, None, bytes(action).decode(), batch)
            for *_, at, action, batch in counts
        ]
        for offence in version_chain.check_chains(steps, [version_chain.Row(name, version)]):
            self._findings.add("untrue", f"{name} has no one chain of versions: {offence.words}")

    def _judge_over_time(self, unit: Unit, changes: list[Change]) -> None:
        is_seat, name, place = unit
        there, claimed = int(is_seat), 0
        for moment, kind, by in sorted(changes):
            if kind == COUNTED:
                there = by
            else:
                claimed += by
            if claimed > there:
                words = f"{claimed} claimed at one time (moment {moment}) of {there}"
                self._findings.add("oversold", f"{'seat' if is_seat else 'stock'} {name} {place}: {words}")
                return


def _unit(line: ShownLine) -> Unit:
    return line.sku is None, line.name, line.place
