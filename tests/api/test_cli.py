"""The command line through its real entry point: exit codes, what programs read, and what people are told."""

import json
import secrets
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from service.accounts.keys import SCOPES
from service.accounts.use_cases import create_account
from service.demo.ports import free_port
from service.settings import Settings
from tests.accounts import http_client, new_account, on_store
from tests.api.reading import held
from tests.make import hold, put_stock
from tests.polling import wait_until
from tests.running import RunningService, run_cli
from tests.shell import NOWHERE

SEATS = "section,row,seat,category,price_minor,currency,x,y\n101,A,1,1,12500,EUR,525.6,226.6\n101,A,2,1,12500,EUR,,\n"
STOCK = "sku,description,on_hand,price_minor,currency\nNW-001,Chai,39,1800,USD\nNW-002,Chang,17,1900,USD\n"
STARTS = ("--name", "Final", "--starts-at", "2097-06-05T19:00:00Z")

UNIT = [{"sku": "NW-001", "quantity": 1}]


class Shell:
    """Commands on one database, each of which must end as expected."""

    def __init__(self, database_url: str) -> None:
        self.database_url = database_url

    def told(self, *arguments: str, code: int = 0) -> str:
        """What people are told: on standard output, or on standard error where it failed."""
        done = run_cli(*arguments, database_url=self.database_url)
        assert done.returncode == code, f"{done.returncode}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        if code:
            assert done.stdout == ""
            assert done.stderr.startswith("holdfast: ") or "Usage: holdfast" in done.stderr
        return done.stderr if code else done.stdout

    def shown(self, *arguments: str) -> Any:
        """What programs read."""
        return json.loads(self.told(*arguments, "--json"))

    def new_account(self) -> str:
        """Made without a process of its own; the command has its own test."""
        name = f"cli-{secrets.token_hex(6)}"
        on_store(self.database_url, lambda store: create_account(store, name))
        return name


@pytest.fixture
def shell(store_url: str) -> Shell:
    return Shell(store_url)


@pytest.fixture
def live(service: RunningService) -> Shell:
    """While the server runs on the same database."""
    return Shell(service.database_url)


def test_account_is_made_once_and_listed(shell: Shell) -> None:
    name = f"cli-{secrets.token_hex(6)}"
    made = {"account": name, "hold_seconds": 600, "hold_seconds_max": 3600}
    assert shell.shown("accounts", "create", name) == made
    assert made in shell.shown("accounts", "list")["accounts"]
    assert f"There is an account '{name}' already" in shell.told("accounts", "create", name, code=1)


def test_what_is_tried_with_dry_run_is_checked_and_not_done(shell: Shell) -> None:
    name = f"cli-{secrets.token_hex(6)}"
    assert "Would make the account" in shell.told("accounts", "create", name, "--dry-run")
    assert shell.shown("accounts", "create", name)["account"] == name
    assert "already" in shell.told("accounts", "create", name, "--dry-run", code=1)
    would = shell.shown("keys", "create", name, "--dry-run")
    assert (would["key"], would["prefix"], would["scopes"]) == (None, None, list(SCOPES))
    assert shell.shown("keys", "list", name)["keys"] == []
    key = shell.shown("keys", "create", name)
    assert "Would revoke" in shell.told("keys", "revoke", key["prefix"], "--dry-run")
    assert shell.shown("keys", "scopes", key["prefix"], "--scope", "ops", "--dry-run")["scopes"] == ["ops"]
    (kept,) = shell.shown("keys", "list", name)["keys"]
    assert (kept["revoked_at"], kept["scopes"]) == (None, list(SCOPES))
    assert shell.shown("accounts", "set", name, "--hold-seconds", "60", "--dry-run")["hold_seconds"] == 60
    assert shell.shown("accounts", "set", name, "--hold-seconds-max", "700")["hold_seconds"] == 600
    assert shell.shown("db", "upgrade", "--dry-run")["dry_run"] is True


def test_hold_times_of_an_account_are_those_of_its_holds_on_stock(live: Shell, service: RunningService) -> None:
    account = new_account(service.url, service.database_url)
    with closing(account):
        put_stock(account)
        set_to = live.shown("accounts", "set", account.name, "--hold-seconds", "90", "--hold-seconds-max", "120")
        assert set_to == {"account": account.name, "hold_seconds": 90, "hold_seconds_max": 120}
        assert set_to in live.shown("accounts", "list")["accounts"]
        assert held(account, UNIT)["hold_remaining_s"] == 90
        assert held(account, UNIT, hold_seconds=120)["hold_remaining_s"] == 120
        assert hold(account, UNIT, hold_seconds=121).status_code == 400
        assert "100" in live.told("accounts", "set", account.name, "--hold-seconds", "100")
        assert held(account, UNIT)["hold_remaining_s"] == 100


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "say what to set"),
        (("--hold-seconds", "0"), "--hold-seconds must be 1 to 604800 seconds, not 0"),
        (("--hold-seconds-max", "604801"), "--hold-seconds-max must be 1 to 604800 seconds, not 604801"),
        (("--hold-seconds", "3601"), "3601 s, and 3600 s at most"),
        (("--hold-seconds-max", "599"), "600 s, and 599 s at most"),
    ],
)
def test_hold_times_that_cannot_be_are_refused_and_change_nothing(
    shell: Shell, options: tuple[str, ...], words: str
) -> None:
    name = shell.new_account()
    assert words in shell.told("accounts", "set", name, *options, code=2)
    kept = {"account": name, "hold_seconds": 600, "hold_seconds_max": 3600}
    assert kept in shell.shown("accounts", "list")["accounts"]


def test_hold_times_of_no_account_are_refused(shell: Shell) -> None:
    assert "There is no account 'nobody'" in shell.told("accounts", "set", "nobody", "--hold-seconds", "60", code=1)


def test_scope_is_taken_from_a_key_and_given_back(live: Shell, service: RunningService) -> None:
    name = live.new_account()
    made = live.shown("keys", "create", name)
    with http_client(service.url, made["key"]) as client:
        assert client.get("/v1/events").status_code == 200
        left = live.shown("keys", "scopes", made["prefix"], "--scope", "ops", "--scope", "reservations:read")
        assert (left["prefix"], left["scopes"]) == (made["prefix"], ["reservations:read", "ops"])
        assert [key["scopes"] for key in live.shown("keys", "list", name)["keys"]] == [left["scopes"]]
        wait_until(lambda: client.get("/v1/events").status_code == 403, what="the scope is taken away")
        told = live.told("keys", "scopes", made["key"], "--scope", "inventory:read")
        assert "inventory:read" in told
        assert made["key"].split("_")[2] not in told
        wait_until(lambda: client.get("/v1/events").status_code == 200, what="the scope is given back")


def test_scopes_that_cannot_be_are_refused_and_change_nothing(shell: Shell) -> None:
    name = shell.new_account()
    made = shell.shown("keys", "create", name)
    assert "'root' is no scope" in shell.told("keys", "scopes", made["prefix"], "--scope", "root", code=2)
    assert "--scope" in shell.told("keys", "scopes", made["prefix"], code=2)
    assert "no key with the prefix" in shell.told("keys", "scopes", "zzzzzzzz", "--scope", "ops", code=1)
    assert [key["scopes"] for key in shell.shown("keys", "list", name)["keys"]] == [list(SCOPES)]


def test_first_key_has_every_scope_and_works_at_once(live: Shell, service: RunningService) -> None:
    name = live.new_account()
    made = live.shown("keys", "create", name)
    assert made["account"] == name
    assert made["scopes"] == list(SCOPES)
    with http_client(service.url, made["key"]) as client:
        me = client.get("/v1/me").json()
        assert (me["account"], me["key_name"], me["scopes"]) == (name, "default", list(SCOPES))
        revoked = live.shown("keys", "revoke", made["prefix"])
        assert revoked["revoked_at"] is not None
        wait_until(lambda: client.get("/v1/me").status_code == 401, what="the key is revoked")


def test_later_keys_say_their_scopes_and_a_rotated_one_keeps_them(shell: Shell) -> None:
    name = shell.new_account()
    shell.told("keys", "create", name)
    assert "--scope" in shell.told("keys", "create", name, "--name", "till", code=2)
    scoped = shell.shown("keys", "create", name, "--name", "till", "--scope", "ops", "--scope", "inventory:read")
    assert scoped["scopes"] == ["inventory:read", "ops"]
    rotated = shell.shown("keys", "create", name, "--name", "till")
    assert rotated["scopes"] == scoped["scopes"]
    assert rotated["key"] != scoped["key"]
    assert "'x' is no scope" in shell.told("keys", "create", name, "--scope", "x", code=2)


def test_secret_is_printed_once_and_never_listed(shell: Shell) -> None:
    name = shell.new_account()
    key = shell.told("keys", "create", name).strip()
    _, prefix, secret = key.split("_")
    assert secret not in shell.told("keys", "list", name)
    listed = shell.shown("keys", "list", name)["keys"]
    assert [(one["prefix"], one["account"], one["revoked_at"]) for one in listed] == [(prefix, name, None)]
    assert secret not in json.dumps(listed)
    told = shell.told("keys", "revoke", key)
    assert prefix in told
    assert secret not in told


def test_seats_are_imported_whole_once_and_not_by_a_dry_run(shell: Shell, tmp_path: Path) -> None:
    name = shell.new_account()
    file = tmp_path / "seats.csv"
    file.write_text(SEATS)
    seats = ("import", "seats", "final", str(file), "--account", name)
    assert "Give --name and --starts-at" in shell.told(*seats, code=1)
    new = {"event": "created", "created": 2, "updated": 0, "unchanged": 0}
    assert shell.shown(*seats, *STARTS, "--dry-run") == {**new, "dry_run": True}
    assert shell.shown(*seats, *STARTS) == {**new, "dry_run": False}
    again = {"event": "unchanged", "created": 0, "updated": 0, "unchanged": 2, "dry_run": False}
    assert shell.shown(*seats) == again


def test_stock_is_imported_once_and_not_by_a_dry_run(live: Shell, tmp_path: Path) -> None:
    name = live.new_account()
    file = tmp_path / "stock.csv"
    file.write_text(STOCK)
    stock = ("import", "stock", str(file), "--account", name)
    assert live.shown(*stock, "--dry-run") == {"created": 2, "updated": 0, "unchanged": 0, "dry_run": True}
    assert live.shown(*stock) == {"created": 2, "updated": 0, "unchanged": 0, "dry_run": False}
    file.write_text(STOCK.replace(",17,", ",18,"))
    assert live.shown(*stock) == {"created": 0, "updated": 1, "unchanged": 1, "dry_run": False}


def test_bad_row_is_named_and_nothing_of_the_file_is_kept(shell: Shell, tmp_path: Path) -> None:
    name = shell.new_account()
    file = tmp_path / "seats.csv"
    file.write_text(SEATS + "101,A,3,1,99,EUR,,\n")
    seats = ("import", "seats", "final", str(file), "--account", name)
    told = shell.told(*seats, *STARTS, code=2)
    assert f"{file}:4: price_minor: is 99; category 1 has 12500 EUR on line 2" in told
    file.write_text(SEATS)
    assert shell.shown(*seats, *STARTS)["event"] == "created"


def test_account_may_be_left_out_where_there_is_only_one(new_store: Any, tmp_path: Path) -> None:
    shell = Shell(new_store("sqlite"))
    file = tmp_path / "stock.csv"
    file.write_text(STOCK)
    assert "holdfast accounts create NAME" in shell.told("import", "stock", str(file), code=1)
    shell.new_account()
    assert shell.shown("import", "stock", str(file))["created"] == 2
    shell.new_account()
    assert "say which one with --account" in shell.told("import", "stock", str(file), code=2)


MYSQL_NOWHERE = f"mysql+asyncmy://nobody:secret@127.0.0.1:{free_port()}/holdfast"

BAD: list[tuple[str, tuple[str, ...], dict[str, str], int, str]] = [
    ("unknown command", ("hold",), {}, 2, "No such command"),
    ("unknown option", ("audit", "--fast"), {}, 2, "No such option"),
    ("port that is no number", ("serve", "--port", "x"), {}, 2, "--port"),
    ("port out of range", ("serve", "--port", "0"), {}, 2, "HOLDFAST_PORT='0'"),
    ("several processes on SQLite", ("serve", "--workers", "2"), {}, 2, "SQLite has one server process"),
    ("setting out of range", ("worker",), {"HOLDFAST_LANES": "99"}, 2, "HOLDFAST_LANES='99'"),
    ("unknown setting", ("db", "current"), {"HOLDFAST_SPEED": "1"}, 2, "HOLDFAST_SPEED is not a setting"),
    ("database of another kind", ("audit",), {"HOLDFAST_DATABASE_URL": "oracle://x"}, 2, "HOLDFAST_DATABASE_URL"),
    ("no such server", ("accounts", "list"), {"HOLDFAST_DATABASE_URL": MYSQL_NOWHERE}, 3, "cannot be reached"),
    ("no server to serve on", ("serve",), {"HOLDFAST_DATABASE_URL": MYSQL_NOWHERE}, 3, "HOLDFAST_DATABASE_URL"),
    ("no such directory", ("db", "upgrade"), {"HOLDFAST_DATABASE_URL": NOWHERE}, 3, "/proc/nowhere"),
    ("file that is not there", ("import", "stock", "no.csv"), {}, 2, "no.csv:1: cannot be read"),
]


@pytest.mark.parametrize(
    ("arguments", "env", "code", "words"), [case[1:] for case in BAD], ids=[case[0] for case in BAD]
)
def test_bad_input_is_named(
    tmp_path: Path, arguments: tuple[str, ...], env: dict[str, str], code: int, words: str
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/holdfast.sqlite3"
    done = run_cli(*arguments, env={"HOLDFAST_DATABASE_URL": url, "COLUMNS": "200", **env})
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr


def test_bad_account_name_is_refused(shell: Shell) -> None:
    assert "1 to 60 characters" in shell.told("accounts", "create", "a\nb", code=2)


MISSING = [
    (("keys", "create", "nobody"), "there is no account 'nobody'"),
    (("keys", "revoke", "zzzzzzzz"), "no key with the prefix 'zzzzzzzz'"),
]


@pytest.mark.parametrize(("arguments", "words"), MISSING, ids=lambda value: " ".join(value) if value else "")
def test_what_does_not_exist_is_named(shell: Shell, arguments: tuple[str, ...], words: str) -> None:
    assert words in shell.told(*arguments, code=1)


def test_help_shows_every_command_and_the_exit_codes() -> None:
    done = run_cli("--help", env={"COLUMNS": "200"})
    assert done.returncode == 0
    for command in (
        "serve",
        "worker",
        "audit",
        "top",
        "doctor",
        "demo",
        "db",
        "accounts",
        "keys",
        "idempotency",
        "import",
    ):
        assert f" {command} " in done.stdout
    assert "Exit codes: 0 done; 1 findings" in done.stdout


def test_help_of_serve_shows_every_setting() -> None:
    shown = run_cli("serve", "--help", env={"COLUMNS": "200"}).stdout
    for field in msgspec.structs.fields(Settings):
        assert f"HOLDFAST_{field.name.upper()} (" in shown
