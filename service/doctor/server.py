"""A server of the MySQL family: can it be reached, is it new enough, does it take writes, do its sessions obey."""

from service.database.session import session_deviations, too_old
from service.doctor.findings import Finding, codes_of, not_looked_at, ok, told, wrong
from service.doctor.patient import Patient, Server
from service.settings import PREFIX

URL = f"{PREFIX}DATABASE_URL"

RIGHTS = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, DROP"

VARIABLES = (
    "version",
    "innodb_flush_log_at_trx_commit",
    "innodb_doublewrite",
    "innodb_flush_method",
    "log_bin",
    "sync_binlog",
    "read_only",
    "super_read_only",
    "max_connections",
    "max_user_connections",
    "max_allowed_packet",
)

MISSING_DATABASE, DENIED_DATABASE, DENIED, TOO_MANY = 1049, 1044, 1045, 1040


async def reached(patient: Patient) -> Finding:
    """Connects, and asks the server what it is."""
    if URL in patient.wrong:
        return not_looked_at(f"{URL} is wrong")
    try:
        async with patient.store.read() as reader:
            names = ", ".join(f"'{name}'" for name in VARIABLES)
            rows = await reader.rows(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({names})")
            variables = {text(name): text(value) for name, value in rows}
            user = text((await reader.rows("SELECT CURRENT_USER()"))[0][0])
    except Exception as error:  # noqa: BLE001 - every reason not to be reached has its advice
        return wrong(f"{patient.place}: {told(error)}", *_ways_in(patient, codes_of(error)))
    patient.server = Server(variables.get("version", ""), user, variables)
    return ok(f"{patient.place}, as {user}")


def text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _ways_in(patient: Patient, codes: set[int]) -> tuple[str, ...]:
    user = f"'{patient.url.username}'@'%'"
    if MISSING_DATABASE in codes:
        return (f"CREATE DATABASE {patient.database}", "holdfast db upgrade")
    if DENIED_DATABASE in codes:
        return (f"GRANT {RIGHTS} ON {patient.database}.* TO {user}",)
    if DENIED in codes:
        return (
            f"{URL}=mysql+asyncmy://USER:PASSWORD@{patient.url.host}:{patient.url.port or 3306}/{patient.url.database}",
            f"or, on the server: CREATE USER {user} IDENTIFIED BY 'PASSWORD'",
            f"with GRANT {RIGHTS} ON {patient.database}.* TO {user}",
        )
    if TOO_MANY in codes:
        return (f"{PREFIX}POOL_CONNECTIONS=… smaller", "SET GLOBAL max_connections = … larger")
    return (
        f"start the server at {patient.url.host}:{patient.url.port or 3306}",
        f"or {URL}=mysql+asyncmy://USER:PASSWORD@HOST:PORT/NAME of one that runs",
    )


async def version(patient: Patient) -> Finding:
    server = patient.server
    deviations = too_old(server.version)
    if deviations:
        return wrong(deviations[0], "upgrade the server: MySQL 8.0.16 or newer, or MariaDB 10.6 or newer")
    return ok(f"{server.kind} {server.version}")


async def writable(patient: Patient) -> Finding:
    """Whether it is a primary."""
    for name in ("super_read_only", "read_only"):
        if patient.server.variables.get(name, "OFF") not in {"OFF", "0"}:
            return wrong(
                f"{name} is {patient.server.variables[name]}: a replica?",
                f"{URL}=… of the primary",
                f"or SET GLOBAL {name} = 0",
            )
    return ok("it takes writes")


async def sessions(patient: Patient) -> Finding:
    """Isolation, strictness, time zone and time-outs, in a connection of each pool."""
    async with patient.store.write_session() as session:
        deviations = await session_deviations(session, patient.settings)
    async with patient.store.read() as session:
        of_readers = await session_deviations(session, patient.settings)
    # A reader is one statement at a time, for which the isolation levels are one; the pool sets none.
    deviations += [told for told in of_readers if told not in deviations and "_isolation" not in told]
    deviations = [told for told in deviations if not told.startswith("the server is version")]
    if deviations:
        return wrong("; ".join(deviations), f"{URL}=… of the server itself, past the proxy")
    return ok("READ COMMITTED, strict, UTC, time-outs as asked for")
