"""The verifier: every answer in the ledger against the database, both ways.

Nothing told that is not there, nothing there that nobody was told of, nothing there twice. It trusts neither the
service's own queries nor a single constraint of the schema, reads one snapshot in pages, and takes time and memory in
proportion to the ledger. The database must be at rest, with every client's answers in: what is in flight is nobody's
yet.

`operations.py` reads ledgers and judges the answers among themselves; `reservations.py` walks over the database and
holds every reservation, its messages and lines, against them; `units.py` judges seats and stock, at every time and now.
"""

from loadtests.verifier.judge import verify
from loadtests.verifier.verdict import Verdict

__all__ = ["Verdict", "verify"]
