"""One look at one table: a SELECT that joins what a row must agree with, and says of each row which rule it breaks.

A row that breaks several rules is named by the first of them, so rules go from the particular to the general.
The server counts all offenders and sends the first few: nothing else crosses the wire.
"""
# ruff: noqa: S608 - names and literals of our own; nothing here comes from outside

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from service.audit.report import OFFENDERS_MAX, Check
from service.database.transaction import Transaction
from service.ids import id_text, show_reference


class Rule(msgspec.Struct, frozen=True):
    """`broken` is the SQL condition of an offender; `words` tells it, with the examination's facts in braces."""

    invariant: str
    name: str
    broken: str
    words: str


class Examination(msgspec.Struct, frozen=True, kw_only=True):
    """What is judged (`counted` counts it), what it is joined with, and the rules in their order.

    `facts` maps names to SQL, `account_id` first. Names that end in `_id` are identifiers, `reference` is a
    reservation's, others are texts or numbers. With `group_by` the rules are about groups, and every fact is an
    aggregate.
    """

    subject: str
    counted: str
    source: str
    facts: Mapping[str, str]
    rules: Sequence[Rule]
    group_by: str | None = None


async def examine(reader: Transaction, examination: Examination) -> list[Check]:
    """One Check a rule, in their order."""
    rows_checked = int((await reader.rows(examination.counted))[0][0])
    found = await reader.rows(_statement(examination))
    names = await _account_names(reader, {bytes(row[2]) for row in found if row[2] is not None})
    offenders: dict[int, list[str]] = {}
    totals: dict[int, int] = {}
    for fault, total, *facts in found:
        shown = dict(zip(examination.facts, facts, strict=True))
        told = examination.rules[fault].words.format_map({name: _shown(name, value) for name, value in shown.items()})
        offenders.setdefault(fault, []).append(f"{_owner(shown['account_id'], names)}{told}")
        totals[fault] = total
    return [
        Check(rule.invariant, rule.name, rows_checked, totals.get(place, 0), offenders.get(place, []))
        for place, rule in enumerate(examination.rules)
    ]


def _statement(examination: Examination) -> str:
    cases = " ".join(f"WHEN {rule.broken} THEN {place}" for place, rule in enumerate(examination.rules))
    facts = ", ".join(f"{sql} AS fact_{name}" for name, sql in examination.facts.items())  # no word is reserved
    names = ", ".join(f"fact_{name}" for name in examination.facts)
    judged = f"SELECT CASE {cases} END AS fault, {facts} FROM {examination.source}"
    if examination.group_by is not None:
        # HAVING keeps the groups that are well from being stored on the way.
        judged += f" GROUP BY {examination.group_by} HAVING fault IS NOT NULL"
    counted = (
        f"SELECT fault, COUNT(*) OVER (PARTITION BY fault) AS total, "
        f"ROW_NUMBER() OVER (PARTITION BY fault ORDER BY fault) AS nth, {names} "
        f"FROM ({judged}) judged WHERE fault IS NOT NULL"
    )
    return f"SELECT fault, total, {names} FROM ({counted}) counted WHERE nth <= {OFFENDERS_MAX} ORDER BY fault, nth"


async def _account_names(reader: Transaction, ids: set[bytes]) -> dict[bytes, str]:
    names: dict[bytes, str] = {}
    for account_id in sorted(ids):
        found = await reader.rows("SELECT name FROM accounts WHERE id = ?", (account_id,))
        if found:
            names[account_id] = _text(found[0][0])
    return names


def _owner(account_id: bytes | None, names: Mapping[bytes, str]) -> str:
    if account_id is None:
        return ""
    known = bytes(account_id)
    return f"account {names.get(known) or f'{id_text(known)}, which does not exist'}: "


def _shown(name: str, value: Any) -> str:  # noqa: ANN401 - a cell
    if value is None:
        return "none"
    if isinstance(value, (int, Decimal)):  # the MySQL family sums into decimals
        return str(value)
    if name.endswith("_id"):
        return id_text(bytes(value))
    if name.endswith("reference"):
        return show_reference(_text(value))
    return _text(value)


def _text(value: Any) -> str:  # noqa: ANN401 - a driver's bytes, of whatever kind
    return value if isinstance(value, str) else bytes(value).decode(errors="replace")
