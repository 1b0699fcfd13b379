"""`holdfast doctor` before a server of the MySQL family that is set up badly: each fault is told with what mends it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import URL, make_url

from tests.doctored import doctored
from tests.running import upgrade
from tests.servers.find import PrivateMysql
from tests.servers.mysql import execute

BAD = {
    "innodb_flush_log_at_trx_commit": 2,
    "max_allowed_packet": 1_048_576,
    "max_connections": 40,
    "read_only": 1,
}

STALE = """
INSERT INTO reservations (id, account_id, reference, state, version, hold_seconds, hold_seconds_max, lapses_at,
                          created_at)
VALUES (REPEAT('r', 16), REPEAT('a', 16), 'K7QX29PMD8', 'held', 1, 60, 60, 1000 * (UNIX_TIMESTAMP() - 3600), 1)
"""
UNSEQUENCED = "INSERT INTO outbox (account_id, batch_id) VALUES (REPEAT('a', 16), REPEAT('b', 16))"


@pytest.fixture(scope="module")
def database_url(mortal_mysql: PrivateMysql) -> Iterator[str]:
    """A database with the newest schema, which no auditor will look at."""
    if not mortal_mysql.answers():  # whoever hurt it last may have left it so
        mortal_mysql.start()
    url = mortal_mysql.new_database()
    upgrade(url)
    yield url
    mortal_mysql.drop_database(url)


@contextmanager
def set_badly(server: PrivateMysql) -> Iterator[None]:
    names = ", ".join(f"'{name}'" for name in BAD)
    before = execute(server.admin_url, f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({names})")
    execute(server.admin_url, *(f"SET GLOBAL {name} = {value}" for name, value in BAD.items()))
    try:
        yield
    finally:
        execute(server.admin_url, *(f"SET GLOBAL {name} = {value}" for name, value in before))


def test_server_that_is_set_up_badly_is_told_how_each_setting_is_mended(
    mortal_mysql: PrivateMysql, database_url: str
) -> None:
    with set_badly(mortal_mysql):
        found = doctored(database_url=database_url)
    assert found.code == 1
    assert found.wrong() == {"database: takes writes", "durability: commits", "limits: packets"}, found.text
    assert found.states()["limits: connections"] == "warning"
    assert "HOLDFAST_POOL_CONNECTIONS=7" in found.mend("limits: connections")
    assert "innodb_flush_log_at_trx_commit = 1" in found.mend("durability: commits")
    assert "max_allowed_packet = 16777216" in found.mend("limits: packets")
    assert "SET GLOBAL read_only = 0" in found.mend("database: takes writes")
    mended = doctored(database_url=database_url)
    assert (mended.code, mended.wrong()) == (0, set()), mended.text


def test_user_is_told_which_rights_it_lacks(mortal_mysql: PrivateMysql, database_url: str) -> None:
    name = make_url(database_url).database
    user = "'doctored'@'%'"
    url: URL = make_url(database_url).set(username="doctored", password="very-secret")
    admin = mortal_mysql.admin_url
    execute(admin, f"CREATE USER {user} IDENTIFIED BY 'very-secret'")
    try:
        denied = doctored(database_url=url.render_as_string(hide_password=False))
        assert (denied.code, "database: reached" in denied.wrong()) == (3, True), denied.text
        assert f"GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, DROP ON `{name}`.* TO" in denied.mend(
            "database: reached"
        )
        execute(admin, f"GRANT SELECT ON `{name}`.* TO {user}", f"GRANT INSERT ON `{name}`.seats TO {user}")
        reader = doctored(database_url=url.render_as_string(hide_password=False))
        assert (reader.code, reader.wrong()) == (1, {"permissions: rows"}), reader.text
        assert "no UPDATE on any table" in reader.seen("permissions: rows")
        assert "no INSERT on accounts, " in reader.seen("permissions: rows")
        assert "SELECT" not in reader.seen("permissions: rows")
        assert f"ON `{name}`.* TO {user}" in reader.mend("permissions: rows")
        assert reader.states()["permissions: upgrades"] == "warning"
        assert "GRANT CREATE, ALTER, INDEX, DROP" in reader.mend("permissions: upgrades")
        wrong = doctored(database_url=url.set(password="another").render_as_string(hide_password=False))
        assert wrong.code == 3
        assert "USER:PASSWORD" in wrong.mend("database: reached")
        assert "very-secret" not in denied.text + reader.text + wrong.text
    finally:
        execute(admin, f"DROP USER {user}")


def test_work_that_no_worker_does_is_found(database_url: str) -> None:
    execute(database_url, STALE, UNSEQUENCED)
    try:
        found = doctored(database_url=database_url)
    finally:
        execute(database_url, "DELETE FROM reservations", "DELETE FROM outbox")
    assert (found.code, found.wrong()) == (1, {"work: stale holds", "work: messages"}), found.text
    seen = found.seen("work: stale holds")
    assert seen.startswith("1 reservations of all accounts are past their time, the first by 3,6")
    assert "`holdfast holds list --stale` shows them first" in seen, "what is ended at once can be looked at before"
    assert found.mend("work: stale holds") == found.mend("work: messages") == "holdfast worker"


def test_server_that_hangs_is_told_and_holds_up_nothing_else(mortal_mysql: PrivateMysql, database_url: str) -> None:
    mortal_mysql.pause()
    try:
        found = doctored(database_url=database_url)
    finally:
        mortal_mysql.resume()
    assert (found.code, found.wrong()) == (3, {"database: reached"})
    assert found.states()["host: port"] == "ok"
