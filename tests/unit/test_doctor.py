"""The doctor's judgement: what it makes of mounts, grants, versions and clocks; and that no check can end it."""

import asyncio
from pathlib import Path

import pytest

from service.database.session import too_old
from service.doctor.clock import judged
from service.doctor.file import file_system
from service.doctor.findings import Check, Finding, codes_of, examine, ok, told, wrong
from service.doctor.permissions import granted, quoted

MOUNTS = """\
/dev/vda / ext4 rw 0 0
tmpfs /run tmpfs rw 0 0
server:/export /srv/data nfs4 rw 0 0
//nas/share /srv/my\\040files cifs rw 0 0
overlay /srv/data/inner overlay rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/var/lib/x.sqlite3", ("ext4", "/")),
        ("/run/x.sqlite3", ("tmpfs", "/run")),
        ("/runner", ("ext4", "/")),
        ("/srv/data/x.sqlite3", ("nfs4", "/srv/data")),
        ("/srv/data/inner/x.sqlite3", ("overlay", "/srv/data/inner")),
        ("/srv/my files/x.sqlite3", ("cifs", "/srv/my files")),
    ],
)
def test_file_system_is_that_of_the_longest_mount(path: str, found: tuple[str, str]) -> None:
    assert file_system(Path(path), MOUNTS) == found
    assert file_system(Path(path), "") == ("", "")


@pytest.mark.parametrize(
    ("lines", "rights"),
    [
        (["GRANT USAGE ON *.* TO `a`@`%`"], set()),
        (["GRANT ALL PRIVILEGES ON `hold\\_fast`.* TO `a`@`%`"], {"CREATE", "INDEX", "SELECT"}),
        (["GRANT ALL PRIVILEGES ON `hold\\_%`.* TO `a`@`%` WITH GRANT OPTION"], {"CREATE", "DROP"}),
        (["GRANT CREATE, ALTER ON *.* TO `a`@`%`", "GRANT INDEX ON `hold_fast`.* TO `a`@`%`"], {"CREATE", "INDEX"}),
        (["GRANT ALL PRIVILEGES ON `other`.* TO `a`@`%`"], set()),
        (["GRANT CREATE ON `hold_fast`.`seats` TO `a`@`%`"], set()),
        (["GRANT `role`@`%` TO `a`@`%`"], set()),
    ],
)
def test_rights_are_those_on_the_whole_database(lines: list[str], rights: set[str]) -> None:
    found = granted(lines, "hold_fast")
    assert rights <= found
    assert rights or not {"CREATE", "SELECT"} & found


def test_user_is_quoted_for_a_statement() -> None:
    assert quoted("app@10.0.0.%") == "'app'@'10.0.0.%'"


@pytest.mark.parametrize(
    ("version", "is_old"),
    [
        ("10.5.29-MariaDB", True),
        ("10.6.0-MariaDB-log", False),
        ("11.8.2-MariaDB-ubu2404", False),
        ("5.7.44-log", True),
        ("8.0.15", True),
        ("8.0.16", False),
        ("9.4.0", False),
    ],
)
def test_version_is_old_or_not(version: str, is_old: bool) -> None:
    assert bool(too_old(version)) is is_old


@pytest.mark.parametrize(
    ("ahead", "unsure", "state"),
    [(900, 1, "ok"), (-1_400, 500, "ok"), (1_600, 500, "warning"), (-10_400, 500, "warning"), (-10_600, 500, "wrong")],
)
def test_clock_is_judged_by_what_is_sure(ahead: float, unsure: float, state: str) -> None:
    found = judged(ahead, unsure, "the server's")
    assert found.state == state
    assert ("behind" in found.seen) is (ahead < 0)
    assert bool(found.mend) is (state != "ok")


async def test_check_that_fails_or_hangs_is_a_finding_and_those_that_need_it_are_not_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def raises(_subject: None) -> Finding:
        raise RuntimeError("the driver is confused")

    async def hangs(_subject: None) -> Finding:
        await asyncio.Event().wait()
        return ok("never")

    async def refuses(_subject: None) -> Finding:
        return wrong("is not", "do this")

    async def passes(_subject: None) -> Finding:
        return ok("is")

    monkeypatch.setattr("service.doctor.findings.SECONDS_MAX", 0.01)
    seen: list[str] = []
    checks = [
        Check("a", "raises", raises),
        Check("a", "hangs", hangs),
        Check("b", "needs it", passes, ("hangs",)),
        Check("b", "needs that", passes, ("needs it",)),
        Check("c", "refuses", refuses),
        Check("c", "passes", passes),
    ]
    results = await examine(checks, None, seen.append)
    assert [(result.check, result.state) for result in results] == [
        ("raises", "wrong"),
        ("hangs", "wrong"),
        ("needs it", "not_looked_at"),
        ("needs that", "not_looked_at"),
        ("refuses", "wrong"),
        ("passes", "ok"),
    ]
    assert "the driver is confused" in results[0].seen
    assert "hangs comes first" in results[2].seen
    assert results[4].mend == ("do this",)
    assert seen[0] == "a: raises"


def test_error_that_was_raised_from_itself_is_told_once() -> None:
    error = OSError(1142, "INSERT command denied")
    error.__cause__ = error
    assert (told(error), codes_of(error)) == ("INSERT command denied", {1142})
