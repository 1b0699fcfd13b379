"""The auditor names every kind of offence, each planted by itself in a database that is otherwise clean."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack

import pytest

from service.audit import Check, Report, audit
from service.audit.auditor import NOTHING_TO_SEE, judge
from service.audit.report import OFFENDERS_MAX
from service.database.store import Store, open_store
from service.ids import new_id
from service.settings import Settings
from tests.api.audited import fill, literals, unguard
from tests.api.offences import OFFENCES, Offence
from tests.own_loop import run_in_own_loop
from tests.process import make_directory, remove_directory
from tests.running import run_cli, upgrade


@pytest.fixture(scope="module", params=["sqlite", "mysql"])
def guarded_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database with a reservation of every kind."""
    with ExitStack() as at_end:
        directory = make_directory("audit")
        at_end.callback(remove_directory, directory)
        if request.param == "sqlite":
            url = f"sqlite+aiosqlite:///{directory}/holdfast.sqlite3"
        else:
            server = request.getfixturevalue("mysql_server")
            url = server.new_database()
            at_end.callback(server.drop_database, url)
        upgrade(url)

        async def fill_new_database() -> None:
            store = await open_store(settings_of(url))
            try:
                await fill(store, directory)
            finally:
                await store.close()

        run_in_own_loop(fill_new_database())
        yield url


@pytest.fixture(scope="module")
def unguarded_url(guarded_url: str) -> str:
    """The same one, its unique keys and CHECKs gone."""
    unguard(guarded_url)
    return guarded_url


def settings_of(url: str) -> Settings:
    return Settings.from_environment({"HOLDFAST_DATABASE_URL": url})


@pytest.fixture
async def store(unguarded_url: str) -> AsyncIterator[Store]:
    store = await open_store(settings_of(unguarded_url))
    yield store
    await store.close()


class _TakenBack(Exception):
    pass


def _take_back() -> None:
    raise _TakenBack


async def judged_with(store: Store, *plants: str) -> Report:
    """The report on the database with the offence in it; the offence is rolled back."""
    report: Report | None = None
    try:
        async with store.begin(new_id()) as transaction:
            known = await literals(transaction)
            for plant in plants:
                assert await transaction.change(plant.format(**known)) > 0, "nothing was planted"
            report = await judge(transaction)
            _take_back()
    except _TakenBack:
        assert report is not None
    return report


def found(report: Report) -> dict[str, Check]:
    return {check.name: check for check in report.checks if check.total}


@pytest.mark.parametrize("offence", OFFENCES, ids=lambda offence: offence.check.replace(" ", "_"))
async def test_planted_offence_is_named(store: Store, offence: Offence) -> None:
    report = await judged_with(store, offence.plant)
    offenders = found(report)
    assert offence.check in offenders, offenders
    assert any(offence.words in line for line in offenders[offence.check].offenders), offenders[offence.check]
    assert not report.clean


async def test_database_without_an_offence_is_clean(store: Store) -> None:
    report = await audit(store)
    assert found(report) == {}
    assert report.clean
    rows = {check.name: check.rows_checked for check in report.checks}
    assert rows["a seat has at most one live line"] == 6
    assert rows["each change of a reservation is a row of the state table"] == 22


def of_batch(batch_id: str) -> list[str]:
    """The held reservation's batch gets this id everywhere, as if a host of another clock had made it."""
    return [
        f"UPDATE {table} SET {column} = {batch_id} WHERE {column} = {{held_batch}}"
        for table, column in (
            ("messages", "batch_id"),
            ("outbox", "batch_id"),
            ("idempotency_records", "message_batch_id"),
        )
    ]


FIRST_ID = f"x'{1:012X}{0:020X}'"
LAST_ID = f"x'{(1 << 48) - 1:012X}{0:020X}'"


async def test_purged_marker_of_a_host_whose_clock_is_fast_is_no_offence(store: Store) -> None:
    """Row 18. Markers go by the database's clock; the id says that the batch is of the far future."""
    long_ago = "UPDATE messages SET at = at - 7200000 WHERE batch_id = {held_batch}"
    purged = "DELETE FROM batches WHERE id = {held_batch}"
    report = await judged_with(store, long_ago, purged, *of_batch(LAST_ID))
    assert found(report) == {}


async def test_missing_marker_of_a_host_whose_clock_is_slow_is_named(store: Store) -> None:
    report = await judged_with(store, "DELETE FROM batches WHERE id = {held_batch}", *of_batch(FIRST_ID))
    assert list(found(report)) == ["each recent message's batch has its marker"]


async def test_every_check_has_an_offence_that_it_names(store: Store) -> None:
    report = await audit(store)
    assert {check.name for check in report.checks} - {NOTHING_TO_SEE.name} == {offence.check for offence in OFFENCES}
    assert {check.invariant for check in report.checks} >= {f"R{number}" for number in range(1, 11)}


async def test_first_offenders_are_named_and_all_are_counted(store: Store) -> None:
    report = await judged_with(store, "UPDATE seats SET state = 3 - state WHERE state IN (0, 3)")
    assert report.clean, "available and blocked are both free"
    report = await judged_with(store, "UPDATE seats SET state = 2 WHERE state <> 2")
    check = found(report)["a seat is available or blocked exactly where no live line has it"]
    assert check.total > OFFENDERS_MAX
    assert len(check.offenders) == OFFENDERS_MAX
    assert check.rows_checked == 20


async def change_held_seat(url: str, state: int) -> None:
    store = await open_store(settings_of(url))
    try:
        async with store.begin(new_id()) as transaction:
            names = await literals(transaction)
            await transaction.change(f"UPDATE seats SET state = {state} WHERE id = {names['held_seat']}")
    finally:
        await store.close()


async def test_audit_of_a_live_database_judges_one_state_of_it(store: Store, unguarded_url: str) -> None:
    def meddle(subject: str, _done: int, _total: int) -> None:
        if subject == "events":
            run_in_own_loop(change_held_seat(unguarded_url, 0))

    assert found(await audit(store, meddle)) == {}
    assert list(found(await audit(store))) == ["a seat is available or blocked exactly where no live line has it"]
    await change_held_seat(unguarded_url, 1)
    assert found(await audit(store)) == {}


def test_command_names_offenders_and_exits_with_1(unguarded_url: str) -> None:
    run_in_own_loop(change_held_seat(unguarded_url, 0))
    try:
        done = run_cli("audit", database_url=unguarded_url)
        shown = run_cli("audit", "--json", database_url=unguarded_url)
    finally:
        run_in_own_loop(change_held_seat(unguarded_url, 1))
    assert (done.returncode, shown.returncode) == (1, 1)
    assert "seat 101-A-1 of event final is available, and the reservation that has it is" in done.stdout
    assert "1 offenders" in done.stdout
    report = json.loads(shown.stdout)
    assert set(report) == {"clean", "as_of", "seconds", "checks"}
    assert report["clean"] is False
    assert [check["invariant"] for check in report["checks"] if check["total"]] == ["R1"]


def test_command_on_a_clean_database_exits_with_0(unguarded_url: str) -> None:
    done = run_cli("audit", database_url=unguarded_url)
    assert done.returncode == 0
    assert "clean" in done.stdout.splitlines()[-1]
