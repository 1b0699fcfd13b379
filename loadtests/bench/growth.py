"""Grows a database to millions of reservations and idempotency records, from real ones of its own.

Each real row (the seed) is there again for each of many steps back in time: the same row with its key's milliseconds,
and every other time, moved back, so that keys ascend as they would have. Seeds are reservations that were held and
released: they claim nothing, and so does what is made of them. References and scope hashes are derived so that they are
unique and as scattered as real ones, since these are the indexes that a large table makes slow.

The rows go into an empty copy of the table, which then takes its place: with unique checks off, a server loads an empty
table in bulk and builds its indexes by sorting. `set_aside` makes the real rows a table of their own again, for the
auditor: nobody would wait for his verdict on ten million rows.
"""

# ruff: noqa: S608 - statements of names and numbers of our own

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import ceil
from typing import Final

import msgspec

from service.idempotency.records import COLUMNS as RECORD_COLUMNS
from service.reservations.write import LINE_COLUMNS, MESSAGE_COLUMNS, RESERVATION_COLUMNS
from tests.servers.mysql import execute

STEP_MS: Final = 600_000
"""Between two copies of a seed, and longer than the making of all seeds took: 2,000 copies reach two weeks back."""

SCATTER: Final = 680_564_733_841
"""Odd, and so a permutation of the numbers below 2^45: consecutive numbers become references far apart."""

LAST_45_BITS: Final = (1 << 45) - 1
BULK: Final = ("SET SESSION unique_checks = 0", "SET SESSION foreign_key_checks = 0")


class Table(msgspec.Struct, frozen=True):
    """A table to grow: all its columns, and for those that are not the seed's an expression.

    There `s` is the seed, `s.n` the number of its reservation, `t.n` that of the step. `{back}` are the milliseconds
    that the copy lies back, `{moved:…}` is an identifier moved back, `{reference}` the copy's reference.
    """

    name: str
    key: tuple[str, ...]
    columns: Sequence[str]
    derived: dict[str, str]
    seeds: str

    @property
    def seeds_table(self) -> str:
        return f"growth_seeds_of_{self.name}"


NUMBERED: Final = "SELECT ROW_NUMBER() OVER (ORDER BY {order}) AS seed, {number} AS n, x.* FROM {table} x"
OF_RESERVATION: Final = " JOIN growth_seeds_of_reservations r ON r.id = {column}"

RESERVATIONS: Final = Table(
    "reservations",
    ("id",),
    RESERVATION_COLUMNS,
    {
        "id": "{moved:id}",
        "reference": "{reference}",
        "created_at": "s.created_at - {back}",
        "held_at": "s.held_at - {back}",
        "ended_at": "s.ended_at - {back}",
    },
    NUMBERED.format(order="x.id", number="ROW_NUMBER() OVER (ORDER BY x.id)", table="reservations"),
)
LINES: Final = Table(
    "reservation_lines",
    ("reservation_id", "line"),
    LINE_COLUMNS,
    {"reservation_id": "{moved:reservation_id}", "released_at": "s.released_at - {back}"},
    NUMBERED.format(order="x.reservation_id, x.line", number="r.n", table="reservation_lines")
    + OF_RESERVATION.format(column="x.reservation_id"),
)
MESSAGES: Final = Table(
    "messages",
    ("batch_id", "ordinal"),
    MESSAGE_COLUMNS,
    {
        "batch_id": "{moved:batch_id}",
        "subject_id": "{moved:subject_id}",
        "reference": "{reference}",
        "at": "s.at - {back}",
    },
    NUMBERED.format(order="x.batch_id, x.ordinal", number="r.n", table="messages")
    + OF_RESERVATION.format(column="x.subject_id"),
)
RECORDS: Final = Table(
    "idempotency_records",
    ("id",),
    RECORD_COLUMNS,
    {
        "id": "{moved:id}",
        "scope_hash": "UNHEX(SHA2(CONCAT(s.scope_hash, t.n), 256))",
        "first_seen_at": "s.first_seen_at - {back}",
        "location": "CONCAT('/v1/reservations/', SUBSTR({reference}, 1, 5), '-', SUBSTR({reference}, 6))",
        "message_batch_id": "{moved:message_batch_id}",
    },
    # That of the create alone: one record a reservation.
    NUMBERED.format(order="x.id", number="r.n", table="idempotency_records")
    + " JOIN messages m ON m.batch_id = x.message_batch_id AND m.ordinal = x.message_ordinal AND m.version = 1"
    + OF_RESERVATION.format(column="m.subject_id"),
)
TABLES: Final = (RESERVATIONS, RECORDS, LINES, MESSAGES)


class Growth:
    """Of one database, all of whose reservations so far are seeds. `url` is an administrator's; nobody else writes."""

    def __init__(self, url: str, rows_wanted: int, message_share: float) -> None:
        self._url = url
        self._message_share = message_share
        self.seeds = self._count("reservations")
        self.steps = ceil(rows_wanted / self.seeds)
        if self.steps > self.seeds:
            raise ValueError(f"{self.seeds} reservations are too few to make {rows_wanted} of")

    def run(self, tell: Callable[[str], None]) -> dict[str, int]:
        """Fills the tables, messages of the newest `message_share` of the reservations; the rows made, by table."""
        for table in TABLES:
            execute(self._url, f"CREATE TABLE {table.seeds_table} (PRIMARY KEY (seed)) {table.seeds}")
        numbers = f"SELECT n FROM {RESERVATIONS.seeds_table} WHERE n <= {self.steps}"
        execute(self._url, f"CREATE TABLE growth_steps (PRIMARY KEY (n)) {numbers}")
        made: dict[str, int] = {}

        def fill(table: Table) -> None:
            started = time.monotonic()
            made[table.name] = self._fill(table)
            tell(f"{made[table.name]:,} {table.name} in {time.monotonic() - started:.0f} s")

        with ThreadPoolExecutor(2) as two_processors:
            list(two_processors.map(fill, TABLES))
        return made

    def _fill(self, table: Table) -> int:
        oldest = round(self.steps * (1 - self._message_share)) if table is MESSAGES else 0
        cells = ", ".join(self._cell(table, column) for column in table.columns)
        columns = ", ".join(table.columns)
        full = f"growth_{table.name}"
        execute(
            self._url,
            f"CREATE TABLE {full} LIKE {table.name}",
            *BULK,
            # In the order of the key: steps ascend, and in each of them the seeds.
            f"INSERT INTO {full} ({columns}) SELECT STRAIGHT_JOIN {cells} "
            f"FROM growth_steps t JOIN {table.seeds_table} s WHERE t.n > {oldest}",
        )
        made = self._count(full)
        execute(self._url, f"INSERT INTO {full} ({columns}) SELECT {columns} FROM {table.name}")
        self._swap(table, full)
        return made

    def _cell(self, table: Table, column: str) -> str:
        derived = table.derived.get(column)
        if derived is None:
            return f"s.{column}"
        back = f"({self.steps + 1} - t.n) * {STEP_MS}"
        number = f"((t.n * {self.seeds} + s.n) * {SCATTER}) & {LAST_45_BITS}"
        symbols = f"LPAD(CONV({number}, 10, 32), 9, '0')"
        # CONV's digits are 0 to 9 and A to V, and I, L, O and U are none of a reference's.
        for digit, symbol in ("IW", "LX", "OY", "UZ"):
            symbols = f"REPLACE({symbols}, '{digit}', '{symbol}')"
        if derived.startswith("{moved:"):
            moved = f"s.{derived.removeprefix('{moved:').removesuffix('}')}"
            at = f"CAST(CONV(HEX(SUBSTR({moved}, 1, 6)), 16, 10) AS SIGNED) - {back}"
            return f"CONCAT(UNHEX(LPAD(HEX({at}), 12, '0')), SUBSTR({moved}, 7))"
        return derived.format(back=back, reference=f"CONCAT({symbols}, '0')")

    def _swap(self, table: Table, other: str) -> None:
        """`other` takes the table's place, and the table is gone."""
        gone = f"growth_old_{table.name}"
        execute(self._url, f"RENAME TABLE {table.name} TO {gone}, {other} TO {table.name}", f"DROP TABLE {gone}")

    def warm(self) -> None:
        """Read the indexes that every hold looks into at random, as a server that has run for a while has them."""
        for table, column in (("reservations", "reference"), ("idempotency_records", "scope_hash")):
            index = self._index(table, column)
            execute(self._url, f"SELECT COUNT({column}) FROM {table} FORCE INDEX ({index})")

    def _index(self, table: str, column: str) -> str:
        sql = (
            "SELECT index_name FROM information_schema.statistics WHERE table_schema = DATABASE() "
            f"AND table_name = '{table}' AND column_name = '{column}' AND non_unique = 0"
        )
        return str(execute(self._url, sql)[0][0])

    def set_aside(self) -> None:
        """Only what is no copy stays: the seeds, and what came after the growth."""
        for table in TABLES:
            key = table.key[0]
            first = bytes(execute(self._url, f"SELECT MIN({key}) FROM {table.seeds_table}")[0][0])
            kept = f"growth_kept_{table.name}"
            columns = ", ".join(table.columns)
            execute(
                self._url,
                f"CREATE TABLE {kept} LIKE {table.name}",
                f"INSERT INTO {kept} ({columns}) SELECT {columns} FROM {table.name} WHERE {key} >= x'{first.hex()}'",
            )
            self._swap(table, kept)
        for name in ("growth_steps", *(table.seeds_table for table in TABLES)):
            execute(self._url, f"DROP TABLE {name}")

    def _count(self, table: str) -> int:
        return int(str(execute(self._url, f"SELECT COUNT(*) FROM {table}")[0][0]))
