"""Every scenario in a very short form, from the command to the report; whatever happens in it, the verdict is clean."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

import pytest

from loadtests.catalogue import SCENARIOS as CATALOGUE
from tests.conftest import MysqlServer
from tests.load.command import FILES, Load, load

SCENARIOS = ("retry-storm", "flash-sale", "hot-row", "box-office", "mobile", "slow-payment", "poison")


def test_catalogue_has_a_locustfile_for_each_and_stays_free_of_gevent() -> None:
    """The command runs proxies and an event loop in its own process; gevent would change both under them."""
    assert tuple(CATALOGUE) == SCENARIOS
    assert all(scenario.locustfile.is_file() for scenario in CATALOGUE.values())
    assert "gevent" not in sys.modules


RUNS: dict[str, tuple[int, int, tuple[str, ...]]] = {
    "hot-row": (20, 2, ("--processes", "2")),
    "retry-storm": (8, 3, ()),
    "flash-sale": (160, 60, ()),
    "box-office": (12, 4, ()),
    "mobile": (10, 3, ()),
    "slow-payment": (24, 5, ()),
    "poison": (20, 3, ()),
}
"""Users, seconds and more words of each; the longest first."""

Clean: TypeAlias = Callable[[str], Load]


@pytest.fixture(scope="module")
def clean(mysql_server: MysqlServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clean]:
    """`clean("mobile")` is that run, which ended well. Two run at a time, each on a stack of its own."""
    with ThreadPoolExecutor(2) as threads:
        running = {
            name: threads.submit(
                load, name, "--users", str(users), "--duration", str(seconds), *more,
                reports=tmp_path_factory.mktemp(name), server=mysql_server,
            )
            for name, (users, seconds, more) in RUNS.items()
        }  # fmt: skip

        def ended_well(name: str) -> Load:
            ended = running[name].result()
            assert ended.status == 0, ended.said
            assert ended.directory is not None
            return ended

        yield ended_well


def has_report(directory: Path) -> bool:
    return all((directory / name).stat().st_size for name in FILES)


def test_retry_storm_leaves_one_effect_for_every_key(clean: Clean) -> None:
    ended = clean("retry-storm")
    counts = ended.verdict["verdict"]
    assert counts["told"] == 5 * counts["operations"]
    assert counts["tries"] > counts["told"]
    assert counts["replays"] >= 4 * counts["operations"]
    assert ended.verdict["connections_cut"] > 0
    assert ended.directory is not None
    assert has_report(ended.directory)


def test_flash_sale_sells_everything_and_nothing_twice(clean: Clean) -> None:
    ended = clean("flash-sale")
    counts = ended.verdict["verdict"]
    # 20 seats and 20 units, each held and then confirmed.
    assert counts["reservations"] == 40
    assert counts["successes"] == 80
    assert counts["refusals"] == 120


def test_hot_row_is_measured_under_each_strategy_and_cold_rows_cost_redis_nothing(clean: Clean) -> None:
    ended = clean("hot-row")
    cells = {cell["strategy"]: cell for cell in ended.verdict["cells"]}
    assert list(cells) == ["optimistic", "FOR UPDATE", "Redis lock", "cold rows"]
    assert all(cell["per_second"] > 0 and cell["engine"]["commands_a_batch"] >= 1 for cell in cells.values())
    assert cells["cold rows"]["redis_commands"] == 0
    assert cells["cold rows"]["engine"]["conflicts"] == 0
    assert cells["optimistic"]["engine"]["row_locks"] == 0


def test_box_office_is_an_ordinary_day(clean: Clean) -> None:
    ended = clean("box-office")
    seen = {name.partition(":")[0] for name in ended.verdict["measured"]["by_name"]}
    assert seen >= {"availability", "hold", "extend", "confirm", "release", "reservation"}


def test_mobile_apps_find_their_answer_whatever_is_lost(clean: Clean) -> None:
    ended = clean("mobile")
    counts = ended.verdict["verdict"]
    assert counts["asked"] > counts["operations"], "no app was killed and started again"
    assert counts["replays"] > 0
    assert ended.verdict["connections_cut"] > counts["operations"] // 2


def test_slow_payment_is_confirmed_or_refused_but_never_both(clean: Clean) -> None:
    ended = clean("slow-payment")
    by_name = ended.verdict["measured"]["by_name"]
    assert by_name["confirm: 200"] > 0
    assert by_name["confirm after the end: 200"] > 0, "no late confirm found its units free"
    assert by_name["confirm after the end: 410"] > 0


def test_poison_is_noticed_by_nobody_else(clean: Clean) -> None:
    ended = clean("poison")
    counts = ended.verdict["verdict"]
    assert counts["failures_expected"] == ended.verdict["measured"]["by_name"]["crash: 500"] > 0
    assert ended.verdict["engine"]["splits"] > 0, "nobody shared a batch with a request that crashes"


@pytest.mark.parametrize(("arguments", "says"), [(["nonesuch"], "no scenario 'nonesuch'"), ([], "Which scenario?")])
def test_unknown_scenario_is_told_which_there_are(arguments: list[str], says: str, tmp_path: Path) -> None:
    ended = load(*arguments, reports=tmp_path)
    assert ended.status == 2
    assert says in ended.said
    assert all(name in ended.said for name in SCENARIOS)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["mobile", "--control"], "these have: retry-storm, flash-sale"),
        (["mobile", "--users", "0"], "must be 1 or more"),
    ],
)
def test_wrong_argument_is_told_what_would_be_right(arguments: list[str], says: str, tmp_path: Path) -> None:
    ended = load(*arguments, reports=tmp_path)
    assert ended.status == 2
    assert says in ended.said
    assert ended.directory is None
