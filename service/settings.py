"""Every setting, read once from HOLDFAST_* at the start; a wrong one stops the start and names itself.

Each carries its unit in its name, its safe range and its explanation beside it; the table in the README is made from
here.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, get_args

import msgspec
from msgspec import Meta

PREFIX = "HOLDFAST_"

# What no library could open or match is refused here, where it can be named.
_AUTHORITY = r"([^@\s]*@)?([^:/@?\s\[\]]*|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"
_SQLITE = r"sqlite\+aiosqlite:///(?!:memory:)[^?\n]+"
_MYSQL = rf"(mysql|mariadb)\+asyncmy://{_AUTHORITY}/[^/?\s]+"
_REDIS = rf"rediss?://{_AUTHORITY}(/[0-9]*)?|unix://([^@\s]*@)?/[^?\s]+"
_ORIGIN = r"(\*|[a-z][a-z0-9+.-]*://[^/?#@\s,A-Z]+)"
_END = r"(?!\n)$"
DATABASE_URL = rf"^({_SQLITE}|{_MYSQL})(\?\S*)?{_END}"
REDIS_URL = rf"^(({_REDIS})(\?\S*)?)?{_END}"
CORS_ORIGINS = rf"^ *({_ORIGIN} *(, *{_ORIGIN} *)*)?{_END}"


CONNECTIONS_BESIDE_LANES = 2
"""One for what is no command, one for asking what became of a lost COMMIT."""


NOT_OURS: Final = (f"{PREFIX}TEST_", f"{PREFIX}API_")
"""What tests are told, and where the operator's command line finds a service (service/cli/desk.py)."""


class SettingsError(ValueError):
    """A setting that cannot be used; the message names it, its value and what is allowed."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of a process. The field `lanes` is read from HOLDFAST_LANES, and so on."""

    database_url: Annotated[
        str,
        Meta(
            pattern=DATABASE_URL,
            description="Where the data lives: `sqlite+aiosqlite:///FILE` or `mysql+asyncmy://USER:PASSWORD@HOST:PORT/NAME`.",
        ),
    ] = "sqlite+aiosqlite:///var/holdfast.sqlite3"
    redis_url: Annotated[
        str,
        Meta(
            pattern=REDIS_URL,
            description="Redis for the locks of hot rows, `redis://USER:PASSWORD@HOST:PORT/NUMBER`; "
            "empty: `SELECT … FOR UPDATE` in its place.",
        ),
    ] = ""
    host: Annotated[str, Meta(min_length=1, description="Address that `holdfast serve` listens on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="Port that `holdfast serve` listens on.")] = 8000
    workers: Annotated[
        int, Meta(ge=1, le=64, description="Server processes; more than 1 only on the MySQL family.")
    ] = 1
    worker_metrics_port: Annotated[
        int,
        Meta(ge=0, le=65535, description="Port of `holdfast worker`'s own /metrics on the loopback address; 0: none."),
    ] = 0
    pool_connections: Annotated[
        int,
        Meta(
            ge=3,
            le=200,
            description="Connections in each pool of a process, for transactions and for reads (MySQL family); "
            "at least two more than `HOLDFAST_LANES`.",
        ),
    ] = 12
    lanes: Annotated[
        int, Meta(ge=1, le=32, description="Batches that one process runs at once (MySQL family; SQLite has one).")
    ] = 2
    batch_commands_max: Annotated[int, Meta(ge=1, le=1024, description="Commands in one transaction.")] = 256
    batch_rows_max: Annotated[
        int, Meta(ge=100, le=100_000, description="Rows that the commands of one transaction may name.")
    ] = 4000
    batch_bytes_max: Annotated[
        int, Meta(ge=10_000, le=16_000_000, description="Bytes of the commands of one transaction.")
    ] = 1_000_000
    queue_commands_max: Annotated[
        int,
        Meta(
            ge=16,
            le=100_000,
            description="Commands that wait in one process before it answers 503 `overloaded`; half for one account.",
        ),
    ] = 8192
    deadline_seconds: Annotated[
        int, Meta(ge=1, le=120, description="Longest time a request waits for its transaction, retries included.")
    ] = 10
    drain_seconds: Annotated[
        int, Meta(ge=1, le=300, description="Grace time in which SIGTERM lets running requests finish.")
    ] = 20
    conflict_retries_max: Annotated[
        int, Meta(ge=1, le=50, description="Times a batch is decided anew after another process was first.")
    ] = 12
    hot_row_conflicts: Annotated[
        int, Meta(ge=2, le=1000, description="Recent conflicts (halved every 5 s) that make a row hot.")
    ] = 6
    hot_row_lock_ms: Annotated[int, Meta(ge=50, le=10_000, description="Life of a hot row's Redis lock, in ms.")] = 1000
    lock_wait_seconds: Annotated[
        int, Meta(ge=1, le=50, description="`innodb_lock_wait_timeout` of every connection.")
    ] = 3
    idempotency_hours: Annotated[int, Meta(ge=1, le=8760, description="Time that stored responses are kept.")] = 72
    rate_limit_requests: Annotated[
        int, Meta(ge=0, le=10_000_000, description="Requests of one API key per window, in one process; 0: no limit.")
    ] = 20_000
    rate_limit_window_seconds: Annotated[int, Meta(ge=1, le=3600, description="Length of that window.")] = 10
    waiting_barrier_seconds: Annotated[
        int, Meta(ge=0, le=86_400, description="Age from which nothing overtakes a waiting reservation.")
    ] = 60
    sweep_batch: Annotated[int, Meta(ge=1, le=1000, description="Reservations that one round of a sweep ends.")] = 200
    sweep_interval_ms: Annotated[
        int, Meta(ge=50, le=60_000, description="Pause between two rounds of the worker that found nothing, in ms.")
    ] = 500
    cors_origins: Annotated[
        str,
        Meta(
            pattern=CORS_ORIGINS,
            description="Origins that browsers may call from, such as `https://shop.example`, separated by commas; "
            "`*`: all; empty: none.",
        ),
    ] = ""
    trusted_proxies: Annotated[
        str, Meta(description="Addresses whose X-Forwarded-For and -Proto are believed, separated by commas.")
    ] = "127.0.0.1"
    log_format: Annotated[
        Literal["json", "console"], Meta(description="`json` for machines, `console` for people.")
    ] = "json"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="Least level that is logged.")
    ] = "info"
    bench_endpoints: Annotated[bool, Meta(description="Serve `POST /bench/echo`, the benchmark's no-op.")] = False

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """The settings in `environ`.

        Raises SettingsError naming the first one that is unknown, malformed or out of range.
        """
        settings, wrong = cls.sorted_out(environ)
        if wrong:
            raise SettingsError(next(iter(wrong.values())))
        return settings

    @classmethod
    def sorted_out(cls, environ: Mapping[str, str]) -> tuple["Settings", dict[str, str]]:
        """What can be used of `environ`, with defaults in the place of the rest; and by name what is wrong with that.

        Variables whose values do not go together are among the wrong ones, and keep their values.
        """
        given: dict[str, Any] = {}
        wrong: dict[str, str] = {}
        for name, value in environ.items():
            if name.startswith(PREFIX) and not name.startswith(NOT_OURS):
                field = name.removeprefix(PREFIX).lower()
                try:
                    cls._check(name, field, value)
                except SettingsError as error:
                    wrong[name] = str(error)
                else:
                    given[field] = value
        settings = msgspec.convert(given, cls, strict=False)
        return settings, wrong | settings.contradictions()

    def contradictions(self) -> dict[str, str]:
        """By name what is wrong with settings that are right by themselves."""
        found = {}
        if self.is_sqlite and self.workers > 1:
            name = f"{PREFIX}WORKERS"
            found[name] = f"{name}={self.workers}: SQLite has one server process; use the MySQL family for more"
        least = self.lanes + CONNECTIONS_BESIDE_LANES
        if not self.is_sqlite and self.pool_connections < least:
            name = f"{PREFIX}POOL_CONNECTIONS"
            found[name] = f"{name}={self.pool_connections}: with {PREFIX}LANES={self.lanes} at least {least} are needed"
        return found

    @classmethod
    def _check(cls, name: str, field: str, value: str) -> None:
        if name != name.upper() or field not in cls.__struct_fields__:
            msg = f"{name} is not a setting of Holdfast; `holdfast serve --help` and the README list them"
            raise SettingsError(msg)
        try:
            msgspec.convert({field: value}, cls, strict=False)
        except msgspec.ValidationError as error:
            shown = "…" if field.endswith("_url") else repr(value)
            msg = f"{name}={shown}: {cls._reason(field, error)}"
            raise SettingsError(msg) from None

    @classmethod
    def _reason(cls, field: str, error: msgspec.ValidationError) -> str:
        """What is allowed. Where that is a regular expression, the setting's explanation says it better."""
        reason = str(error).rpartition(" - at ")[0] or str(error)
        declared = cls.__annotations__[field]
        if "matching regex" in reason:
            return f"malformed. {declared.__metadata__[0].description}"
        if "enum value" in reason:
            return f"must be {' or '.join(get_args(declared.__origin__))}"
        return reason

    @property
    def is_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")

    @property
    def idempotency_ms(self) -> int:
        return self.idempotency_hours * 3_600_000
