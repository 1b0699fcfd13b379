"""Whether what was committed outlives a power cut: of a server of the MySQL family, and of the SQLite file (R7)."""

from typing import Final

from service.doctor.findings import Finding, ok, warning, wrong
from service.doctor.patient import Patient

FULL: Final = 2
"""`PRAGMA synchronous`: the log is on the disk before COMMIT answers."""


async def of_server(patient: Patient) -> Finding:
    server, variables = patient.server, patient.server.variables
    lost: list[str] = []
    mend: list[str] = []

    flush = variables.get("innodb_flush_log_at_trx_commit")
    if flush != "1":
        lost.append(f"innodb_flush_log_at_trx_commit is {flush}: a crash loses what clients were told is theirs")
        mend += server.set_to("innodb_flush_log_at_trx_commit", 1)
    sync = variables.get("sync_binlog")
    if variables.get("log_bin") in {"ON", "1"} and sync != "1":
        lost.append(f"sync_binlog is {sync} with the binary log on: a power cut loses the last commits")
        mend += server.set_to("sync_binlog", 1)
    if variables.get("innodb_flush_method", "").lower() == "nosync":
        lost.append("innodb_flush_method is nosync")
        mend.append(f"{server.in_file('innodb_flush_method', 'O_DIRECT')}, and a restart")
    if lost:
        return wrong("; ".join(lost), *mend)
    return _pages(patient)


def _pages(patient: Patient) -> Finding:
    doublewrite = patient.server.variables.get("innodb_doublewrite", "ON")
    if doublewrite.upper() in {"OFF", "0", "DETECT_ONLY"}:
        return warning(
            f"innodb_doublewrite is {doublewrite}: a page half written at a power cut cannot be repaired, "
            "unless the disk writes pages whole",
            f"{patient.server.in_file('innodb_doublewrite', 'ON')}, and a restart",
        )
    binary_log = patient.server.variables.get("log_bin") in {"ON", "1"}
    return ok(f"every COMMIT is on the disk{', in the binary log too' if binary_log else ''}; pages are written twice")


async def of_file(patient: Patient) -> Finding:
    """As the one writer has it."""
    async with patient.store.write_session() as session:
        mode = (await session.rows("PRAGMA journal_mode"))[0][0]
        synchronous = (await session.rows("PRAGMA synchronous"))[0][0]
    if mode != "wal":
        return wrong(f"journal_mode is {mode}, must be wal", "move the file to a local disk that can map memory")
    if synchronous < FULL:
        return wrong(f"synchronous is {synchronous}, must be {FULL} (FULL)", "use the SQLite that Python comes with")
    return ok("journal_mode is wal, synchronous is FULL: every COMMIT is on the disk")
