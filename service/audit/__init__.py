"""The auditor: whether a database holds every invariant that its data can show (R1 to R10), and who breaks them.

`report.py` is what comes out; `examination.py` runs one SELECT a table in which the server itself judges every row, so
that memory stays bounded however many rows there are; the other modules say what is judged. All of them read one
snapshot, so a live database is told the truth about. Nothing here changes a row, and nothing is taken for granted that
a constraint of the schema promises.
"""

from service.audit.auditor import audit
from service.audit.report import Check, Report

__all__ = ["Check", "Report", "audit"]
