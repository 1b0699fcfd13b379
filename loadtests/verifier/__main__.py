"""`python -m loadtests.verifier LEDGER … --database-url URL --account NAME`: the verdict, as a table or as JSON.

Exit status 0: clean. 1: offences. 2: it could not be verified.
"""

import argparse
import sys
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from loadtests.verifier import Verdict, verify
from loadtests.verifier.rows import open_rows

COUNTS = [field for field in Verdict.__struct_fields__ if field != "offences"]
OFFENCES = ("lost", "doubled", "oversold", "untrue")


def table_of(verdict: Verdict) -> Table:
    """The counts; those that must be 0 in colour."""
    table = Table(title="What clients were told, against the database", show_header=False)
    for name in COUNTS:
        count = getattr(verdict, name)
        colour = "" if name not in OFFENCES else "[red]" if count else "[green]"
        table.add_row(name.replace("_", " "), f"{colour}{count:,}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m loadtests.verifier", description=__doc__)
    parser.add_argument("ledgers", metavar="LEDGER", type=Path, nargs="+", help="a file of JSON lines")
    parser.add_argument("--database-url", required=True, help="sqlite+aiosqlite:///FILE or mysql+asyncmy://…")
    parser.add_argument("--account", required=True, help="its name")
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args()
    missing = [str(path) for path in options.ledgers if not path.is_file()]
    if missing:
        parser.error(f"no such ledger: {', '.join(missing)}")
    with open_rows(options.database_url) as rows:
        found = rows.select("SELECT id FROM accounts WHERE name = ?", (options.account.encode(),))
    if not found:
        parser.error(f"the database has no account {options.account!r}")
    console = Console(stderr=options.json)
    with console.status("reading ledgers and database"):
        verdict = verify(options.ledgers, options.database_url, bytes(found[0][0]))
    if options.json:
        sys.stdout.buffer.write(msgspec.json.encode(verdict) + b"\n")
    else:
        console.print(table_of(verdict))
        for words in verdict.offences:
            console.print(f"[red]{words}", markup=True, highlight=False)
    sys.exit(not verdict.is_clean)


if __name__ == "__main__":
    main()
