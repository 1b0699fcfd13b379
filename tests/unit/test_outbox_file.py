"""The outbox's file without a service: what is added stays, bad files are told and left alone, nothing is lost."""

import os
import resource
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from service.client import Outbox, OutboxError, calls, stock
from service.client.outbox import NotAnswered, OutboxBusy, UnknownKey
from service.client.outbox_file import OutboxFile
from service.client.replies import Reply
from service.reservations.views import ReservationView

UNIT = stock("NW-001")
NOBODY = 65_534


def keys(outbox: Outbox) -> list[str]:
    return [entry.key for entry in outbox]


def test_what_is_added_is_there_in_order_when_the_file_is_opened_again(tmp_path: Path) -> None:
    added = [Outbox(tmp_path / "box").add(calls.hold(UNIT)) for _ in range(3)]
    again = Outbox(tmp_path / "box")
    assert keys(again) == added
    assert [entry.state for entry in again.entries()] == ["waiting"] * 3
    assert again.reply(added[0]) is None


def test_hold_without_an_external_reference_gets_its_key_as_that(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "box")
    outbox.add(calls.hold(UNIT, customer="c-77", key="k-1"))
    outbox.add(calls.hold(UNIT, external_reference="order-1", key="k-2"))
    outbox.add(calls.confirm("K7QX2-9PMD8", key="k-3"))
    first, second, third = (entry.call for entry in outbox)
    assert (first.natural_key, second.natural_key, third.natural_key) == ("k-1", "order-1", None)
    assert b'"external_reference":"k-1"' in (first.body or b"")
    assert b'"external_reference":"order-1"' in (second.body or b"")
    assert third.body == b"{}"


def test_same_call_added_again_is_one_and_another_under_its_key_is_refused(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "box")
    assert [outbox.add(calls.hold(UNIT, key="order-1")) for _ in range(2)] == ["order-1"] * 2
    assert keys(outbox) == ["order-1"]
    with pytest.raises(OutboxError, match="'order-1' belongs to another request") as raised:
        outbox.add(calls.hold(UNIT, UNIT, key="order-1"))
    assert raised.value.key == "order-1"
    with pytest.raises(ValueError, match="changes nothing"):
        outbox.add(calls.me())


def test_what_is_not_there_or_not_answered_is_told(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "box")
    key = outbox.add(calls.hold(UNIT))
    with pytest.raises(NotAnswered, match="waits to be sent"):
        outbox.answer(key, ReservationView)
    for ask in (outbox.reply, outbox.drop, outbox.forget, outbox.send_anyway):
        with pytest.raises(UnknownKey, match="'nobody'"):
            ask("nobody")
    for ask in (outbox.forget, outbox.send_anyway):
        with pytest.raises(UnknownKey):
            ask(key)
    outbox.drop(key)
    assert outbox.entries() == []


def test_answered_ones_are_forgotten_by_their_age_and_others_stay(tmp_path: Path) -> None:
    now = [1_000_000.0]
    outbox = Outbox(tmp_path / "box", clock=lambda: now[0])
    old, young, waiting = (outbox.add(calls.hold(UNIT)) for _ in range(3))
    file = OutboxFile(tmp_path / "box")
    for key, at in ((old, 0.0), (young, 999_990.0)):
        entry = file.find(key)
        assert entry is not None
        file.keep_answer(entry.number, Reply(201, {}, b"{}"), at, looked_up=False)
    assert outbox.forget_answered(older_than_s=3600) == 1
    assert [entry.key for entry in outbox.entries()] == [young, waiting]
    outbox.forget(young)
    assert [entry.key for entry in outbox.entries()] == [waiting]


def write_text(path: Path) -> None:
    path.write_text("these are my notes, and no database\n" * 100)


def write_others_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE notes (text)")


def write_later_version(path: Path) -> None:
    Outbox(path).add(calls.hold(UNIT))
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 9")


def write_damaged(path: Path) -> None:
    Outbox(path).add(calls.hold(UNIT))
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        pytest.param(write_text, "is no outbox, and was left as it is: take another path", id="text"),
        pytest.param(write_others_database, "is another program's database", id="another-program"),
        pytest.param(write_later_version, r"by a later version of Holdfast \(its format is 9", id="later-version"),
        pytest.param(write_damaged, "is damaged: keep a copy", id="damaged"),
        pytest.param(Path.mkdir, "cannot be opened", id="directory"),
    ],
)
def test_file_that_is_no_outbox_is_told_and_left_alone(tmp_path: Path, make: Callable[[Path], None], says: str) -> None:
    path = tmp_path / "box"
    make(path)
    before = None if path.is_dir() else path.read_bytes()
    with pytest.raises(OutboxError, match=says) as raised:
        Outbox(path).entries()
    assert str(path) in str(raised.value)
    assert before is None or path.read_bytes() == before


def test_directory_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutboxError, match="its directory must exist"):
        Outbox(tmp_path / "none" / "box")


def test_file_that_vanishes_is_told_and_not_made_anew(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "box")
    (tmp_path / "box").unlink()
    with pytest.raises(OutboxError, match="cannot be opened"):
        outbox.add(calls.hold(UNIT))
    assert not (tmp_path / "box").exists()


@contextmanager
def as_nobody(path: Path) -> Iterator[None]:
    """Root may write everything, so what may not be written is looked at by somebody else."""
    is_root = os.geteuid() == 0
    if is_root:
        for each in (path, *path.iterdir()):
            os.chown(each, NOBODY, NOBODY)
        for parent in path.parents:
            if not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


def test_file_that_may_only_be_read_is_told_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    key = Outbox(folder / "box").add(calls.hold(UNIT))
    (folder / "box").chmod(0o400)
    with as_nobody(folder), pytest.raises(OutboxError, match="may not be written: give this user the rights"):
        Outbox(folder / "box")
    (folder / "box").chmod(0o600)
    assert keys(Outbox(folder / "box")) == [key]


def test_full_disk_is_told_and_what_was_kept_stays(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "box")
    added = [outbox.add(calls.hold(UNIT)) for _ in range(3)]
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The file can grow no more, and a large body needs another page.
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "box").stat().st_size, limits[1]))
    try:
        with pytest.raises(OutboxError, match=r"what (it holds|was kept before) is safe, and this was not"):
            outbox.add(calls.hold(UNIT, metadata={"note": "x" * 20_000}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert keys(Outbox(tmp_path / "box")) == added
    assert outbox.add(calls.hold(UNIT)) == keys(outbox)[-1]


def test_one_sends_at_a_time_and_the_second_waits_or_is_told(tmp_path: Path) -> None:
    first, second = OutboxFile(tmp_path / "box"), OutboxFile(tmp_path / "box")
    came = Event()

    def wait_for_turn() -> None:
        with second.sending(wait=True):
            came.set()

    with first.sending(wait=False):
        with pytest.raises(OutboxBusy, match="another thread or process"), second.sending(wait=False):
            raise AssertionError("both send")
        waiting = Thread(target=wait_for_turn)
        waiting.start()
        assert not came.wait(0.1)
    waiting.join(10)
    assert came.is_set()


def test_clock_that_has_gone_back_makes_what_was_sent_old(tmp_path: Path) -> None:
    file = OutboxFile(tmp_path / "box")
    sent, unsent = (file.add(calls.hold(UNIT), 1000.0) for _ in range(2))
    file.note_clock(5000.0, 60)
    file.mark_sent(sent.number, 5000.0)
    file.note_clock(4990.0, 60)
    assert [entry.first_sent_at for entry in file.entries("waiting")] == [5000.0, None]
    file.note_clock(4000.0, 60)
    assert [entry.first_sent_at for entry in file.entries("waiting")] == [0.0, None]
    assert unsent.first_sent_at is None


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    Outbox(tmp_path / "box")
    assert (tmp_path / "box").stat().st_mode & 0o777 == 0o600


def test_many_threads_use_one_file_at_once(tmp_path: Path) -> None:
    failures: list[OutboxError] = []

    def use(number: int) -> None:
        file = OutboxFile(tmp_path / "box")
        try:
            for turn in range(10):
                file.note_clock(1000.0, 60)  # reads, and then writes
                file.add(calls.hold(UNIT, key=f"{number}-{turn}"), 1000.0)
        except OutboxError as error:
            failures.append(error)

    threads = [Thread(target=use, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(keys(Outbox(tmp_path / "box"))) == sorted(f"{n}-{turn}" for n in range(6) for turn in range(10))
