"""The examples of docs/client.md, in their order, against the real service: each runs, and prints what is shown."""

import contextlib
import io
import logging
import re
from pathlib import Path

import pytest

from tests.accounts import Account
from tests.make import put_event, put_stock
from tests.running import ROOT

PAGE = ROOT / "docs" / "client.md"
ADDRESS = "http://127.0.0.1:8000"
# An example, and the block that follows it at once, which shows what it prints.
EXAMPLE = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)


def test_examples_of_the_page_for_app_developers_print_what_is_shown(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_event(account)
    put_stock(account, on_hand=10)
    monkeypatch.setenv("API_KEY", account.key)
    monkeypatch.chdir(tmp_path)
    examples = EXAMPLE.findall(PAGE.read_text())
    assert len(examples) >= 8
    names: dict[str, object] = {"__name__": "example"}
    for code, shown in examples:
        printed = io.StringIO()
        logged = logging.StreamHandler(printed)
        logging.getLogger("tickets").addHandler(logged)
        with contextlib.redirect_stdout(printed):
            exec(compile(code.replace(ADDRESS, account.url), str(PAGE), "exec"), names)  # noqa: S102 - our own page
        logging.getLogger("tickets").removeHandler(logged)
        pattern = ".*".join(re.escape(part) for part in shown.split("…"))
        assert re.fullmatch(pattern, printed.getvalue()), (
            f"{code}\nis shown to print\n{shown}\nbut did\n{printed.getvalue()}"
        )
