"""The scenarios can fail: with what protects the service switched off they oversell and double, and are caught.

The guards are switched off outside production code: launchers change the process, and the database loses its unique
keys and CHECKs. Were a control clean, the clean verdicts of the true build (`test_scenarios.py`) would prove nothing.
"""

from pathlib import Path

from tests.conftest import MysqlServer
from tests.load.command import load


def test_flash_sale_without_version_checks_and_unique_keys_oversells_and_is_caught(
    mysql_server: MysqlServer, tmp_path: Path
) -> None:
    # With a third of them the few units are gone before two processes meet over them in every run.
    ended = load("flash-sale", "--users", "480", "--control", reports=tmp_path, server=mysql_server)
    assert ended.status == 0, ended.said
    assert "caught, as it must be" in ended.said
    assert ended.verdict["is_control"]
    assert ended.verdict["verdict"]["oversold"] > 0
    assert any("taken by" in words for words in ended.verdict["verdict"]["offences"])
    broken = {line.partition(" ")[0] for line in ended.verdict["audit"].splitlines()}
    assert {"R1", "R2"} <= broken


def test_retry_storm_without_idempotency_doubles_and_is_caught(mysql_server: MysqlServer, tmp_path: Path) -> None:
    ended = load("retry-storm", "--users", "5", "--duration", "3", "--control", reports=tmp_path, server=mysql_server)
    assert ended.status == 0, ended.said
    assert "caught, as it must be" in ended.said
    counts = ended.verdict["verdict"]
    assert counts["doubled"] > counts["operations"], "each was sent five times"
    assert counts["replays"] == 0
    assert counts["oversold"] == 0, "the guards of the units are in place"
