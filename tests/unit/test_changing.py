"""Who changes something and why: what the command line takes, and what it refuses."""

import io

import pytest

from service.cli.changing import ask, checked_reason, operator
from service.cli.failures import CommandFailed, ExitCode


@pytest.mark.parametrize("name", ["a", "anna", "Anna Müller", "x" * 60, "é" * 60])
def test_name_becomes_the_actor(name: str) -> None:
    assert operator(name) == f"operator:{name}"


def test_texts_are_kept_in_nfc() -> None:
    assert operator("e\u0301") == "operator:é"
    assert checked_reason("e\u0301" * 200) == "é" * 200


def test_name_is_the_login_name_unless_said_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "berta")
    assert operator(None) == "operator:berta"


BAD = ["\n", "a\tb", "a\0", "a\x7f", "\u202ea", "\udcff", "a\ud800"]


@pytest.mark.parametrize("name", ["", "x" * 61, *BAD], ids=ascii)
def test_bad_name_is_refused(name: str) -> None:
    with pytest.raises(CommandFailed, match="--as takes 1 to 60 characters") as refused:
        operator(name)
    assert refused.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize("reason", ["x" * 201, *BAD], ids=ascii)
def test_bad_reason_is_refused(reason: str) -> None:
    with pytest.raises(CommandFailed, match="--reason takes up to 200 characters") as refused:
        checked_reason(reason)
    assert refused.value.exit_code == ExitCode.USAGE


def test_reason_may_be_left_out() -> None:
    assert checked_reason(None) is None
    assert checked_reason("") == ""


def test_nobody_is_asked_where_yes_was_said() -> None:
    ask("Mend?", yes=True)


def test_where_nobody_can_be_asked_the_question_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with pytest.raises(CommandFailed, match=r"Mend\? Nobody can be asked here: say --yes") as refused:
        ask("Mend?", yes=False)
    assert refused.value.exit_code == ExitCode.USAGE
