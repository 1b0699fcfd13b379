"""`holdfast doctor` through its real entry point: nothing wrong where nothing is, and what is broken has its remedy."""

import re
import secrets
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from redis import Redis
from sqlalchemy import make_url

from service.accounts.use_cases import create_account
from service.database.store import Store
from service.demo.ports import free_port
from service.doctor.checks import diagnose
from tests.accounts import Account, on_store
from tests.api.rewriting_proxy import rewriting_proxy
from tests.conftest import NewStore
from tests.doctored import Doctored, doctored
from tests.races.databases import StoreName
from tests.running import RunningService, run_cli
from tests.servers import MysqlServer, RedisServer
from tests.servers.mysql import execute

ALWAYS_WRONG_CLOCK = "tests.faults.wrong_clock"
PASSWORD = "very-secret"


def file_of(url: str) -> Path:
    return Path(make_url(url).database or "")


def change(url: str, *statements: str) -> None:
    """Done by hand, as an administrator would."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(file_of(url))) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()
    else:
        execute(url, *statements)


def port_of(service: RunningService) -> str:
    return service.url.rpartition(":")[2]


def test_nothing_is_wrong_where_a_server_and_a_worker_run(service: RunningService, redis_server: RedisServer) -> None:
    env = {"HOLDFAST_PORT": port_of(service), "HOLDFAST_REDIS_URL": redis_server.url}
    found = doctored(database_url=service.database_url, env=env)
    assert (found.code, found.wrong()) == (0, set()), found.text
    assert "not_looked_at" not in found.states().values()
    assert found.document["healthy"] is True
    assert found.document["ok"] + found.document["warning"] == len(found.checks)
    assert found.seen("host: port") == f"a Holdfast answers on 127.0.0.1:{port_of(service)}, and is ready"
    assert found.seen("redis: locks").startswith("a lock is granted once")


def test_people_are_told_without_a_terminal_what_programs_read(service: RunningService) -> None:
    env = {"HOLDFAST_PORT": port_of(service), "COLUMNS": "200", "HOLDFAST_LANES": "99"}
    done = run_cli("doctor", database_url=service.database_url, env=env)
    assert done.returncode == 2, done.stderr
    assert "\x1b" not in done.stdout
    assert "schema: drift" in done.stdout
    assert "exactly as declared" in done.stdout
    assert "settings: values: HOLDFAST_LANES='99': Expected `int` <= 32" in done.stdout
    assert "    HOLDFAST_LANES=… from 1 to 32, or `unset HOLDFAST_LANES` for 2" in done.stdout
    assert done.stdout.rstrip().endswith("0 not looked at.")


def test_every_wrong_setting_is_named_at_once_and_the_rest_is_looked_at(store_url: str) -> None:
    env = {
        "HOLDFAST_LANES": "99",
        "HOLDFAST_LOG_LEVEL": "loud",
        "HOLDFAST_DEADLINE_SECOND": "3",
        "HOLDFAST_SERVICE_HOST": "10.0.0.1",
        "HOLDFAST_PORT": "tcp://10.0.0.1:80",
        "HOLDFAST_TEST_IS_LEFT_ALONE": "1",
    }
    found = doctored(database_url=store_url, env=env)
    assert found.code == 2
    for name in ("HOLDFAST_LANES='99'", "HOLDFAST_LOG_LEVEL='loud'", "HOLDFAST_PORT='tcp://10.0.0.1:80'"):
        assert name in found.seen("settings: values")
    assert "did you mean HOLDFAST_DEADLINE_SECONDS?" in found.mend("settings: names")
    assert "enableServiceLinks: false" in found.mend("settings: names")
    assert "enableServiceLinks: false" in found.mend("settings: values")
    assert "TEST" not in found.text
    assert found.states()["schema: drift"] == "ok"


def test_settings_that_contradict_each_other_are_wrong(store_url: str) -> None:
    name = "WORKERS" if store_url.startswith("sqlite") else "POOL_CONNECTIONS"
    found = doctored(database_url=store_url, env={f"HOLDFAST_{name}": "3", "HOLDFAST_LANES": "3"})
    assert (found.code, found.wrong()) == (2, {"settings: values"})
    assert f"HOLDFAST_{name}=3" in found.seen("settings: values")


NOWHERE = free_port()

UNREACHABLE: list[tuple[str, str, int, str, str]] = [
    ("oracle://db", "settings: values", 2, "malformed", "HOLDFAST_DATABASE_URL"),
    (
        f"mysql+asyncmy://nobody:{PASSWORD}@127.0.0.1:{NOWHERE}/holdfast",
        "database: reached",
        3,
        f"nobody@127.0.0.1:{NOWHERE}/holdfast: ",
        f"start the server at 127.0.0.1:{NOWHERE}",
    ),
    ("sqlite+aiosqlite:////proc/nowhere/x.sqlite3", "database: reached", 3, "holds no files", "HOLDFAST_DATABASE_URL"),
    ("sqlite+aiosqlite:///{new}/x.sqlite3", "database: reached", 3, "there is no", "holdfast db upgrade"),
    ("sqlite+aiosqlite:///{directory}", "database: reached", 3, "is no file", "on a local disk"),
    ("sqlite+aiosqlite:///{text}", "database: reached", 3, "file is not a database", "on a local disk"),
]


@pytest.mark.parametrize(
    ("url", "name", "code", "seen", "mend"),
    UNREACHABLE,
    ids=[case[0].replace(str(NOWHERE), "nowhere") for case in UNREACHABLE],
)
def test_store_that_cannot_be_reached_is_told_and_the_host_is_looked_at(
    tmp_path: Path, url: str, name: str, code: int, seen: str, mend: str
) -> None:
    (tmp_path / "text").write_text("no database, but a text that is long enough to be taken for one" * 20)
    new = tmp_path / "new"
    url = url.format(new=new, directory=tmp_path, text=tmp_path / "text")
    found = doctored(database_url=url)
    assert found.code == code
    assert name in found.wrong()
    assert seen in found.seen(name)
    assert mend in found.mend(name)
    assert PASSWORD not in found.text
    assert found.states()["schema: revision"] == "not_looked_at"
    assert found.states()["host: open files"] == "ok"
    assert not new.exists(), "a look makes nothing"


@pytest.mark.parametrize("store", ["sqlite", "mysql"])
def test_schema_of_another_revision_and_drift_are_told(new_store: NewStore, store: StoreName) -> None:
    url = new_store(store)
    on = " ON seats" if store == "mysql" else ""
    change(url, "CREATE INDEX somebody_elses ON seats (seat)")
    found = doctored(database_url=url)
    assert (found.code, found.states()["schema: drift"]) == (0, "warning")
    assert "somebody_elses" in found.seen("schema: drift")
    change(url, f"DROP INDEX somebody_elses{on}", f"DROP INDEX ix_seats__event_id_section_category_id_state{on}")
    found = doctored(database_url=url)
    assert (found.code, found.wrong()) == (1, {"schema: drift"})
    assert "ix_seats__event_id_section_category_id_state" in found.seen("schema: drift")
    assert "holdfast db check" in found.mend("schema: drift")
    change(url, "CREATE INDEX ix_seats__event_id_section ON seats (event_id, section)")
    change(url, "UPDATE alembic_version SET version_num = '0001'")
    found = doctored(database_url=url)
    assert (found.code, found.wrong()) == (1, {"schema: revision"})
    assert found.mend("schema: revision") == "holdfast db upgrade"
    assert found.states()["work: stale holds"] == "not_looked_at"
    change(url, "UPDATE alembic_version SET version_num = '9999'")
    found = doctored(database_url=url)
    assert "does not know" in found.seen("schema: revision")
    change(url, "UPDATE alembic_version SET version_num = '0001'")
    assert run_cli("db", "upgrade", database_url=url).returncode == 0


def test_database_without_a_schema_is_told_what_makes_one(mysql_server: MysqlServer) -> None:
    url = mysql_server.new_database()
    found = doctored(database_url=url)
    mysql_server.drop_database(url)
    assert (found.code, found.wrong()) == (1, {"schema: revision"})
    assert found.mend("schema: revision") == "holdfast db upgrade"
    gone = doctored(database_url=url)
    assert gone.code == 3
    assert f"CREATE DATABASE `{make_url(url).database}`" in gone.mend("database: reached")


@pytest.mark.parametrize("hours", [6, -6])
def test_clock_that_is_wrong_by_hours_is_found(store_url: str, hours: int) -> None:
    env = {"HOLDFAST_TEST_CLOCK_OFFSET_S": str(hours * 3600)}
    on_store(store_url, _write_something)
    found = doctored(database_url=store_url, env=env, module=ALWAYS_WRONG_CLOCK)
    if store_url.startswith("sqlite"):
        told = found.seen("clock: set back")
        assert ("set back, by 21," in told) is (hours < 0), told
    else:
        assert found.code == 1
        assert re.search(r"is 21,(599|600)\.\d+ s", found.seen("clock: skew"))
        assert ("ahead of" if hours > 0 else "behind") in found.seen("clock: skew")
        assert "timedatectl" in found.mend("clock: skew")


async def _write_something(store: Store) -> None:
    await create_account(store, f"doctor-{secrets.token_hex(8)}")


async def test_sessions_behind_a_proxy_that_changes_them_are_told(mysql_server: MysqlServer) -> None:
    url = mysql_server.new_database()
    async with rewriting_proxy(url, b"wait_timeout = 30", b"wait_timeout = 99") as proxied:
        diagnosis = await diagnose({"HOLDFAST_DATABASE_URL": proxied}, lambda _check: None)
    mysql_server.drop_database(url)
    found = {result.check: result for result in diagnosis.results}
    assert found["sessions"].state == "wrong"
    assert "wait_timeout is '99', must be '30'" in found["sessions"].seen
    assert "past the proxy" in found["sessions"].mend[0]


@pytest.fixture(scope="module")
def plain_store(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('doctor')}/holdfast.sqlite3"
    assert run_cli("db", "upgrade", database_url=url).returncode == 0
    return url


def test_redis_that_is_refused_locked_or_without_rights_is_told(plain_store: str, redis_server: RedisServer) -> None:
    parts = make_url(redis_server.url)
    place = f"{parts.host}:{parts.port or 6379}/0"
    nowhere = f"redis://:{PASSWORD}@127.0.0.1:{free_port()}/0"
    found = doctored(database_url=plain_store, env={"HOLDFAST_REDIS_URL": nowhere})
    assert (found.code, found.wrong()) == (1, {"redis: answers"})
    assert "HOLDFAST_REDIS_URL= for doing without it" in found.mend("redis: answers")
    assert PASSWORD not in found.text
    with Redis.from_url(redis_server.url) as admin:
        admin.execute_command("ACL", "SETUSER", "doctor", "on", f">{PASSWORD}", "~*", "-@all", "+ping", "+set")
        try:
            limited = f"redis://doctor:{PASSWORD}@{place}"
            found = doctored(database_url=plain_store, env={"HOLDFAST_REDIS_URL": limited})
            assert (found.code, found.wrong()) == (1, {"redis: locks"}), found.text
            assert "ACL SETUSER" in found.mend("redis: locks")
            assert "+eval ~holdfast:hot:*" in found.mend("redis: locks")
            denied = doctored(
                database_url=plain_store, env={"HOLDFAST_REDIS_URL": limited.replace(PASSWORD, "another")}
            )
            assert (denied.code, denied.wrong()) == (1, {"redis: answers"})
        finally:
            admin.execute_command("ACL", "DELUSER", "doctor")


def test_port_that_another_program_has_is_told(plain_store: str, stranger: str) -> None:
    found = doctored(database_url=plain_store, env={"HOLDFAST_PORT": stranger.rpartition(":")[2]})
    assert (found.code, found.wrong()) == (1, {"host: port"})
    assert "no Holdfast listens" in found.seen("host: port")
    with socket.create_server(("127.0.0.1", 0)) as dumb:
        env = {"HOLDFAST_PORT": str(dumb.getsockname()[1])}
        found = doctored(database_url=plain_store, env=env)
    assert "does not answer" in found.seen("host: port")
    found = doctored(database_url=plain_store, env={"HOLDFAST_HOST": "203.0.113.7"})
    assert "this host has no address 203.0.113.7" in found.seen("host: port")


class Stranger(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<h1>It works!</h1>")

    def log_message(self, *_arguments: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def stranger() -> Iterator[str]:
    """URL of a server that is no Holdfast."""
    with HTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def outside(url: str, key: str | None = None) -> Doctored:
    return doctored("--url", url, env={} if key is None else {"HOLDFAST_API_KEY": key})


def test_server_behind_a_url_is_looked_at_from_outside(service: RunningService, account: Account) -> None:
    found = outside(service.url, account.key)
    assert (found.code, found.wrong()) == (0, set()), found.text
    assert set(found.states().values()) == {"ok"}
    assert f"'default' of '{account.name}': inventory:read, " in found.seen("server: key")
    without = outside(service.url)
    assert (without.code, without.states()["server: key"]) == (0, "not_looked_at")
    bad = outside(service.url, "hf_aaaaaaaa_nonsense")
    assert (bad.code, bad.wrong()) == (1, {"server: key"})
    assert "401" in bad.seen("server: key")
    assert "nonsense" not in bad.text


def test_url_that_leads_to_no_holdfast_is_told(stranger: str) -> None:
    found = outside(stranger)
    assert (found.code, found.wrong()) == (3, {"server: reached"})
    assert "is no Holdfast" in found.seen("server: reached")
    nowhere = outside(f"http://127.0.0.1:{free_port()}")
    assert nowhere.code == 3
    assert "correct --url" in nowhere.mend("server: reached")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--url", "ftp://127.0.0.1"), "--url 'ftp://127.0.0.1' is no address"),
        (("--url", "http://[::1"), "is no address"),
        (("--url", "127.0.0.1:8000"), "say https://HOST or http://HOST:PORT"),
        (("--key", "hf_x_y"), "--key is for a server behind --url"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_bad_address_is_refused(arguments: tuple[str, ...], words: str) -> None:
    done = run_cli("doctor", *arguments, env={"COLUMNS": "200"})
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
