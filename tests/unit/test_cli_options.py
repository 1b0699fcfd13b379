"""What an operator types: spans of time, options that commands share, and which holds they mean."""

from typing import Annotated

import msgspec
import pytest
import typer
from typer.testing import CliRunner

from service.cli.durations import parse_duration, show_duration
from service.cli.failures import CommandFailed, ExitCode
from service.cli.options import gathered
from service.cli.releasing import Tally
from service.cli.selecting import Wanted

AS_OF = "2027-06-01T10:00:00.000Z"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("2h", 7200), ("3d", 259_200), ("1h30m", 5400), (" 15M ", 900), ("1d1s", 86_401)],
)
def test_span_of_time_is_read(text: str, seconds: int) -> None:
    assert parse_duration(text, "--for") == seconds


@pytest.mark.parametrize("text", ["", "15", "0m", "m", "15 m", "-5m", "1.5h", "5m1h", "soon", "15min", "9999999m"])
def test_what_is_no_span_of_time_is_refused_with_its_option(text: str) -> None:
    with pytest.raises(CommandFailed, match=r"--older-than .* is no span of time") as failed:
        parse_duration(text, "--older-than")
    assert failed.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (59, "59s"),
        (60, "1m"),
        (61, "1m 1s"),
        (3600, "1h"),
        (3661, "1h 1m"),
        (90_000, "1d 1h"),
        (-90, "1m 30s"),
    ],
)
def test_span_of_time_is_shown_in_the_two_units_that_matter(seconds: int, text: str) -> None:
    assert show_duration(seconds) == text


@pytest.mark.parametrize(
    ("wanted", "filters"),
    [
        (Wanted(), {}),
        (Wanted(stale=True), {"stale": True}),
        (Wanted(event="final", customer="c-77"), {"event": "final", "customer": "c-77"}),
        (Wanted(sku="NW-001"), {"sku": "NW-001"}),
        (Wanted(older_than="15m"), {"created_before": "2027-06-01T09:45:00.000Z"}),
        (Wanted(older_than="99999d"), {"created_before": "1970-01-01T00:00:00.000Z"}),
    ],
)
def test_options_become_filters_by_the_clock_of_the_service(wanted: Wanted, filters: dict[str, object]) -> None:
    given = {name: value for name, value in wanted.filters(AS_OF).items() if value is not None}
    assert given == {"state": "held", **filters}


def test_end_of_a_hold_is_counted_from_the_clock_of_the_service() -> None:
    assert Wanted().filters(AS_OF, 120)["expires_before"] == "2027-06-01T10:02:00.000Z"


def test_tally_says_what_was_left_alone_and_why() -> None:
    tally = Tally()
    for released, state in [
        (True, "released"),
        (False, "confirmed"),
        (False, "expired"),
        (False, None),
        (False, "held"),
    ]:
        tally.count(released=released, state=state)
    assert (tally.seen, tally.left_alone) == (5, 4)
    assert tally.words() == (
        "Released 1 hold; left alone: 1 confirmed meanwhile, 2 ended meanwhile, 1 changed meanwhile."
    )


class Place(msgspec.Struct, frozen=True):
    """Shared options."""

    url: Annotated[str | None, typer.Option("--url")] = None


class Manner(msgspec.Struct, frozen=True):
    """Other shared options."""

    yes: Annotated[bool, typer.Option("--yes")] = False


def test_shared_options_reach_a_command_beside_its_own() -> None:
    app = typer.Typer()

    @app.command()
    @gathered(Manner)
    @gathered(Place, last=True)
    def command(
        place: Place, manner: Manner, name: Annotated[str, typer.Argument()], limit: Annotated[int, typer.Option()] = 3
    ) -> None:
        typer.echo(f"{name} {place.url} {manner.yes} {limit}")

    run = CliRunner().invoke
    assert run(app, ["x"]).output == "x None False 3\n"
    assert run(app, ["x", "--url", "u", "--yes", "--limit", "5"]).output == "x u True 5\n"
    assert run(app, ["--yes"]).exit_code == 2
