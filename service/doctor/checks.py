"""Which checks there are, in which order, and which of them need which."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import msgspec

from service.doctor import (
    clock,
    durability,
    environment,
    file,
    limits,
    permissions,
    port,
    redis,
    schema,
    server,
    work,
)
from service.doctor.findings import Check, Result, examine
from service.doctor.patient import Patient

REACHED: Final = "reached"
"""The check without which hardly anything can be looked at, of a store as of a server behind a URL."""

REVISION: Final = "revision"
ROWS: Final = "rows"
REDIS_REACHED: Final = "answers"
SETTINGS: Final = "settings"

ENVIRONMENT: Final = (
    Check(SETTINGS, "values", environment.values),
    Check(SETTINGS, "names", environment.names),
)

SERVER: Final = (
    Check("database", REACHED, server.reached),
    Check("database", "version", server.version, (REACHED,)),
    Check("database", "takes writes", server.writable, (REACHED,)),
    Check("database", "sessions", server.sessions, (REACHED,)),
    Check("durability", "commits", durability.of_server, (REACHED,)),
    Check("limits", "connections", limits.connections, (REACHED,)),
    Check("limits", "packets", limits.packets, (REACHED,)),
    Check("clock", "skew", clock.skew, (REACHED,)),
    Check("permissions", ROWS, permissions.of_rows, (REACHED,)),
    Check("permissions", "upgrades", permissions.of_upgrades, (REACHED,)),
)

FILE: Final = (
    Check("database", REACHED, file.reached),
    Check("database", "SQLite", file.library),
    Check("database", "disk", file.disk, (REACHED,)),
    Check("database", "room", file.room, (REACHED,)),
    Check("permissions", "files", file.writable, (REACHED,)),
    Check("permissions", ROWS, permissions.of_file, (REACHED, "files")),
    Check("durability", "commits", durability.of_file, (REACHED, ROWS)),
)

SCHEMA: Final = (
    Check("schema", REVISION, schema.revision, (REACHED, ROWS)),
    Check("schema", "drift", schema.drift, (REACHED, REVISION)),
)

SET_BACK: Final = Check("clock", "set back", clock.set_back, (REVISION,))

REDIS: Final = (
    Check("redis", REDIS_REACHED, redis.reached),
    Check("redis", "locks", redis.locks, (REDIS_REACHED,)),
    Check("redis", "memory", redis.eviction, (REDIS_REACHED,)),
)

HERE: Final = (
    Check("host", "open files", limits.open_files),
    Check("host", "port", port.port),
    Check("work", "stale holds", work.stale_holds, (REVISION,)),
    Check("work", "messages", work.messages, (REVISION,)),
)


def checks_for(patient: Patient) -> list[Check[Patient]]:
    """Those that fit its settings."""
    chosen = [*ENVIRONMENT]
    if patient.settings.is_sqlite:
        chosen += [*FILE, *SCHEMA, SET_BACK]
    else:
        chosen += [*SERVER, *SCHEMA]
    if patient.settings.redis_url or redis.URL in patient.wrong:
        chosen += REDIS
    else:
        chosen.append(Check("redis", REDIS_REACHED, redis.absent))
    return [*chosen, *HERE]


class Diagnosis(msgspec.Struct, frozen=True):
    """Every result, in the order in which they were looked at."""

    results: list[Result]

    def count(self, state: str) -> int:
        return sum(result.state == state for result in self.results)

    @property
    def has_wrong_settings(self) -> bool:
        return any(result.group == SETTINGS and result.state == "wrong" for result in self.results)

    @property
    def is_unreachable(self) -> bool:
        return any(result.check == REACHED and result.state == "wrong" for result in self.results)


async def diagnose(environ: Mapping[str, str], on_check: Callable[[str], None]) -> Diagnosis:
    """What is wrong around the Holdfast of this environment. Raises nothing."""
    patient = Patient(environ)
    try:
        return Diagnosis(await examine(checks_for(patient), patient, on_check))
    finally:
        with suppress(Exception):
            await patient.close()
