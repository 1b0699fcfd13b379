"""How much may be open at once, and how large a statement may be."""

import resource
from typing import Final

from service.doctor.findings import Finding, ok, warning, wrong
from service.doctor.patient import Patient
from service.http.message import BODY_BYTES_MAX
from service.settings import PREFIX

PACKET_LEAST: Final = 16_777_216
"""A body of BODY_BYTES_MAX with what a statement adds to it; also the default of MariaDB, and less than MySQL's."""

OTHERS: Final = 10
"""Connections for people, backups and the command line."""

WORKERS_LEAST: Final = 1
FILES_OF_PROCESS: Final = 64
FILES_WISHED: Final = 1024


async def connections(patient: Patient) -> Finding:
    """Two pools of each process: those of `holdfast serve`, and one worker."""
    settings, server = patient.settings, patient.server
    processes = settings.workers + WORKERS_LEAST
    needed = processes * 2 * settings.pool_connections
    limit = server.number("max_connections") or 0
    of_user = server.number("max_user_connections") or limit
    seen = (
        f"up to {needed} ({settings.workers} server {'process' if settings.workers == 1 else 'processes'} and a "
        f"worker, twice {settings.pool_connections} each) of {min(limit, of_user)}"
    )
    if needed + OTHERS <= min(limit, of_user):
        return ok(seen)
    name = "max_connections" if limit <= of_user else "max_user_connections"
    fitting = (min(limit, of_user) - OTHERS) // (2 * processes)
    least = settings.lanes + 2
    mend = [*server.set_to(name, needed + OTHERS)]
    if fitting >= least:
        mend.append(f"or {PREFIX}POOL_CONNECTIONS={fitting}")
    return warning(seen, *mend)


async def packets(patient: Patient) -> Finding:
    found = patient.server.number("max_allowed_packet") or 0
    seen = f"max_allowed_packet is {found:,}; bodies may have {BODY_BYTES_MAX:,} bytes"
    if found >= PACKET_LEAST:
        return ok(seen)
    return wrong(seen, *patient.server.set_to("max_allowed_packet", PACKET_LEAST))


async def open_files(patient: Patient) -> Finding:
    """Each client's connection is an open file, and each of the pools'."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return ok("no limit")
    own = FILES_OF_PROCESS + (0 if patient.settings.is_sqlite else 2 * patient.settings.pool_connections)
    more = max(FILES_WISHED, own + FILES_WISHED)
    mend = f"LimitNOFILE={max(65_536, more)} in the systemd unit, or before the start: ulimit -n {min(hard, 65_536)}"
    if soft <= own:
        return wrong(f"{soft} at once, and a process needs {own} for itself", mend)
    seen = f"{soft:,} at once: room for about {soft - own:,} connections of clients in each process"
    return ok(seen) if soft >= FILES_WISHED else warning(seen, mend)
