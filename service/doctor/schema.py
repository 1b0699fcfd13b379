"""The schema: its revision, and drift between the database and the tables that this version declares."""

from typing import Final

from service.database import migrations, revisions
from service.doctor.findings import Finding, ok, warning, wrong
from service.doctor.patient import Patient

SHOWN: Final = 5
ADDED: Final = ("remove table", "remove index", "remove column", "remove constraint")
"""As Alembic says it: what would have to be removed is there, and not declared."""


async def revision(patient: Patient) -> Finding:
    found, newest = await revisions.current(patient.store), revisions.head()
    if found == newest:
        return ok(f"revision {found}, the newest")
    if found is None:
        return wrong(f"no schema yet; the newest revision is {newest}", revisions.UPGRADE_COMMAND)
    if not migrations.is_known(found):
        return wrong(
            f"revision {found}, which this version of Holdfast does not know (its newest is {newest})",
            "install the version of Holdfast that made it, or a newer one",
        )
    return wrong(f"revision {found}; the newest is {newest}", revisions.UPGRADE_COMMAND)


async def drift(patient: Patient) -> Finding:
    differences = await migrations.check(patient.store)
    if not differences:
        return ok("exactly as declared")
    more = f"; and {len(differences) - SHOWN} more" if len(differences) > SHOWN else ""
    seen = "; ".join(differences[:SHOWN]) + more
    if all(difference.startswith(ADDED) for difference in differences):
        return warning(f"there is more than is declared: {seen}", "holdfast db check", "drop what nobody needs")
    return wrong(f"not as declared: {seen}", "holdfast db check", "undo by hand what was changed by hand")
