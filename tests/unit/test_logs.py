"""Log lines: JSON one by one, with the request's id, of our code and of libraries alike, at the level that is set."""

import json
import subprocess
import sys
from typing import Any

import pytest

PROGRAM = """
import logging, sys, structlog
from service.http.log import configure_logging
from service.settings import Settings

configure_logging(Settings.from_environment({"HOLDFAST_LOG_LEVEL": sys.argv[1], "HOLDFAST_LOG_FORMAT": sys.argv[2]}))
log = structlog.get_logger("service")
log.info("before")
structlog.contextvars.bind_contextvars(request_id="r-1")
log.debug("detail")
log.info("refused", problem="not-found", path={"event": "final"}, raw=b"x")
logging.getLogger("library").warning("careful with %s", "this")
logging.getLogger("uvicorn.access").info("noise")
try:
    1 / 0
except ZeroDivisionError as error:
    log.error("internal_error", exc_info=error)
"""


def lines(level: str, form: str) -> list[str]:
    """What a process of its own writes to standard error: logs are set up once in a process."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, level, form], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == ""
    return done.stderr.splitlines()


@pytest.fixture(scope="module")
def logged() -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines("info", "json")]


def test_each_line_is_json_with_level_and_time(logged: list[dict[str, Any]]) -> None:
    assert [line["event"] for line in logged] == ["before", "refused", "careful with this", "internal_error"]
    assert [line["level"] for line in logged] == ["info", "info", "warning", "error"]
    assert all(line["timestamp"].endswith("Z") for line in logged)


def test_request_id_is_on_every_line_of_the_request(logged: list[dict[str, Any]]) -> None:
    assert [line.get("request_id") for line in logged] == [None, "r-1", "r-1", "r-1"]


def test_facts_are_members_and_traces_are_text(logged: list[dict[str, Any]]) -> None:
    assert logged[1]["path"] == {"event": "final"}
    assert "ZeroDivisionError" in logged[3]["exception"]
    assert logged[2]["logger"] == "library"


def test_lines_below_the_level_are_left_out() -> None:
    assert [json.loads(line)["event"] for line in lines("error", "json")] == ["internal_error"]
    assert "detail" in [json.loads(line)["event"] for line in lines("debug", "json")]


def test_console_lines_are_for_people() -> None:
    text = "\n".join(lines("warning", "console"))
    assert "careful with this" in text
    assert not text.startswith("{")
