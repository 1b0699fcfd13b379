"""What the database's user may do: proven on each table by statements that touch no row, and read from its grants."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from service.database.schema import metadata
from service.database.transaction import Transaction
from service.doctor.findings import Finding, codes_of, ok, warning, wrong
from service.doctor.patient import Patient
from service.doctor.server import text
from service.ids import new_id
from service.tables import NAMES

SAID_ELSEWHERE: Final = frozenset({1146, 1290, 1836})
"""No such table, which the revision tells; and a server that is read-only."""

# No row is equal to nothing; the server asks for the right before it looks.
TRIED: Final = {
    "SELECT": "SELECT 1 FROM {table} WHERE 1 = 0",
    "INSERT": "INSERT INTO {table} SELECT * FROM {table} WHERE 1 = 0",
    "UPDATE": "UPDATE {table} SET {column} = {column} WHERE 1 = 0",
    "DELETE": "DELETE FROM {table} WHERE 1 = 0",
}

FOR_UPGRADES: Final = ("CREATE", "ALTER", "INDEX", "DROP")

GRANT = re.compile(r"^GRANT (?P<rights>.+?) ON (?:TABLE )?(?P<on>\S+) TO ", re.IGNORECASE)
ROLE = re.compile(r"^GRANT [`'\"]?[^ ]+[`'\"]?(?:, ?\S+)* TO ", re.IGNORECASE)


class _Undone(Exception):
    """Ends a transaction of which nothing is to be kept."""


async def of_rows(patient: Patient) -> Finding:
    """Reads and writes of every table, in a transaction that is rolled back."""
    missing: dict[str, list[str]] = {}
    async with patient.store.write_session() as session:
        for table in sorted(NAMES):
            for right in await _refused(session, table):
                missing.setdefault(right, []).append(table)
    if not missing:
        return ok(f"SELECT, INSERT, UPDATE, DELETE on {len(NAMES)} tables")
    seen = "; ".join(f"no {right} on {_listed(tables)}" for right, tables in missing.items())
    return wrong(seen, f"GRANT {', '.join(TRIED)} ON {patient.database}.* TO {quoted(patient.server.user)}")


async def _refused(session: Transaction, table: str) -> list[str]:
    column = next(iter(metadata.tables[table].columns)).name
    refused: list[str] = []
    for right, statement in TRIED.items():
        try:
            await session.rows(statement.format(table=table, column=column))
        except Exception as error:
            codes = codes_of(error)
            if not codes:
                raise
            if not codes & SAID_ELSEWHERE:
                refused.append(right)
    return refused


def _listed(tables: Sequence[str]) -> str:
    return "any table" if len(tables) == len(NAMES) else ", ".join(tables)


def quoted(user: str) -> str:
    """`name@host` as a statement names it."""
    name, _, host = user.rpartition("@")
    return f"'{name}'@'{host}'"


async def of_upgrades(patient: Patient) -> Finding:
    """CREATE, ALTER, INDEX and DROP, by the grants: a statement that tries them could not be taken back."""
    async with patient.store.read() as reader:
        lines = [text(row[0]) for row in await reader.rows("SHOW GRANTS")]
    rights = granted(lines, patient.url.database or "")
    missing = [right for right in FOR_UPGRADES if right not in rights]
    if not missing:
        return ok(f"{', '.join(FOR_UPGRADES)}: it may upgrade the schema")
    if any(not GRANT.match(line) and ROLE.match(line) for line in lines):
        return ok("its rights come from a role, which is not looked into")
    return warning(
        f"it may not {', '.join(missing)}: `holdfast db upgrade` needs another user",
        f"GRANT {', '.join(missing)} ON {patient.database}.* TO {quoted(patient.server.user)}",
    )


def granted(lines: Iterable[str], database: str) -> set[str]:
    """The rights on the whole database, by the lines of SHOW GRANTS."""
    rights: set[str] = set()
    for line in lines:
        grant = GRANT.match(line)
        if grant and _covers(grant["on"], database):
            given = {right.strip().upper() for right in grant["rights"].split(",")}
            rights |= {*given, *FOR_UPGRADES, *TRIED} if given & {"ALL", "ALL PRIVILEGES"} else given
    return rights


def _covers(on: str, database: str) -> bool:
    r"""Whether `on`, such as *.* or `holdfast\_%`.*, is all of the database. `_` and `%` are patterns there."""
    name, _, table = on.rpartition(".")
    if table != "*":
        return False
    if name == "*":
        return True
    pattern = "".join(
        part[1:] if part.startswith("\\") else {"%": ".*", "_": "."}.get(part, re.escape(part))
        for part in re.findall(r"\\.|.", name.strip("`'\""))
    )
    return re.fullmatch(pattern, database) is not None


async def of_file(patient: Patient) -> Finding:
    """The right to write to the SQLite file, under the writers' lock; rolled back."""
    try:
        async with patient.store.begin(new_id()):
            raise _Undone  # noqa: TRY301 - the way to roll it back
    except _Undone:
        return ok("a transaction can be begun")
