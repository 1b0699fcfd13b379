"""Schemathesis runs the OpenAPI document against the real server: nothing is answered that the document does not say.

No 5xx; each status, content type, header and body as documented; what the document forbids is refused; methods that a
path lacks, requests without a required header and without a key are refused as documented. Its command is run with a
fixed seed, in an account of its own, where it finds the things that the document's examples name, and leaves hundreds
of odd ones: the auditor judges them with the rest of the database.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.accounts import Account
from tests.api.reading import held
from tests.make import put_event, put_stock
from tests.running import service_environment

TIMEOUT_S = 300
SHOWN = 8_000

# What a document cannot say is refused with 400 too, and rightly: an empty or foreign cursor, a reference whose check
# symbol is wrong, a seat named twice, a line of two kinds. And of `If-Match` it sends `0`, which its pattern forbids.
NOT_FOR_US = "positive_data_acceptance"

OPERATIONS = re.compile(r"Tested: (\d+)")
CASES = re.compile(r"(\d+) generated, (\d+) passed")


def run(account: Account, directory: Path, *arguments: str, config: str = "") -> tuple[int, int]:
    """How many operations it tested, and by how many cases. AssertionError with its own report if any case failed."""
    (directory / "schemathesis.toml").write_text(config)
    command = [
        Path(sys.executable).with_name("schemathesis"), "--config-file", "schemathesis.toml", "--no-color",
        "run", f"{account.url}/openapi.json", "--header", f"Authorization: Bearer {account.key}",
        "--exclude-checks", NOT_FOR_US, "--seed", "1", "--no-shrink", "--continue-on-failure",
        "--suppress-health-check", "all", "--request-timeout", "20", *arguments,
    ]  # fmt: skip
    # Where it runs it leaves files of its own.
    done = subprocess.run(
        command,
        cwd=directory,
        env=service_environment(None),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-SHOWN:]}{done.stderr[-SHOWN:]}"
    operations, cases = OPERATIONS.search(done.stdout), CASES.search(done.stdout)
    assert operations is not None, done.stdout
    assert cases is not None, done.stdout
    assert cases[1] == cases[2], done.stdout
    return int(operations[1]), int(cases[1])


@pytest.fixture
def stocked(account: Account) -> Account:
    """An account that has what the document's examples name."""
    put_event(account)
    put_stock(account)
    return account


def documented(account: Account) -> int:
    """How many operations the document has."""
    paths = account.http.get("/openapi.json").json()["paths"]
    return sum(method in {"get", "put", "post", "patch", "delete"} for path in paths.values() for method in path)


def test_no_answer_is_outside_of_the_document(stocked: Account, tmp_path: Path) -> None:
    operations, cases = run(stocked, tmp_path, "--phases", "examples,coverage,fuzzing", "--max-examples", "2")
    assert operations == documented(stocked)
    assert cases > 1000


def test_no_answer_about_a_reservation_that_there_is_is_outside_of_the_document(
    stocked: Account, tmp_path: Path
) -> None:
    lines = [{"event": "final", "seats": ["101-A-1", "101-A-2", "101-A-3"]}, {"sku": "NW-001", "quantity": 2}]
    reference = held(stocked, lines)["reference"]
    config = f'[parameters]\n"path.reference" = "{reference}"\n"path.event" = "final"\n"path.sku" = "NW-001"\n'
    chosen = ["--include-path-regex", r"\{(reference|event|sku)\}", "--mode", "positive"]
    operations, cases = run(
        stocked, tmp_path, "--phases", "coverage,fuzzing", "--max-examples", "2", *chosen, config=config
    )
    assert operations > 10
    assert cases > 100
    assert stocked.http.get(f"/v1/reservations/{reference}").json()["version"] > 1


def test_what_one_operation_makes_others_use_as_the_document_says(stocked: Account, tmp_path: Path) -> None:
    _, cases = run(stocked, tmp_path, "--phases", "stateful", "--max-examples", "3")
    assert cases > 10
