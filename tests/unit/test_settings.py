"""Settings: what is read, what stops the start and names itself, and what is never shown."""

import msgspec
import pytest

from service.settings import PREFIX, Settings, SettingsError

SECRET = "s3cret-passw0rd"


def refusal(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as raised:
        Settings.from_environment(environ)
    return str(raised.value)


def numbers() -> dict[str, tuple[int, int]]:
    """Every setting that is a number, with its range."""
    schemas = {field.name: msgspec.json.schema(field.type) for field in msgspec.structs.fields(Settings)}
    return {name: (schema["minimum"], schema["maximum"]) for name, schema in schemas.items() if "minimum" in schema}


def test_nothing_needs_to_be_set() -> None:
    settings = Settings.from_environment({})
    assert settings == Settings()
    assert settings.is_sqlite


def test_settings_are_read_from_their_variables() -> None:
    environ = {
        "HOLDFAST_DATABASE_URL": "mysql+asyncmy://app:secret@db:3306/holdfast",
        "HOLDFAST_WORKERS": "4",
        "HOLDFAST_IDEMPOTENCY_HOURS": "24",
        "HOLDFAST_LOG_FORMAT": "console",
        "HOLDFAST_BENCH_ENDPOINTS": "1",
    }
    settings = Settings.from_environment(environ)
    assert (settings.database_url, settings.is_sqlite) == (environ["HOLDFAST_DATABASE_URL"], False)
    assert (settings.workers, settings.idempotency_ms) == (4, 24 * 3_600_000)
    assert (settings.log_format, settings.bench_endpoints) == ("console", True)


def test_other_programs_variables_and_those_of_the_tests_are_left_alone() -> None:
    environ = {"PORT": "x", "HOLD_PORT": "x", "holdfast_port": "x", "HOLDFAST_TEST_MYSQL_URL": "x"}
    assert Settings.from_environment(environ) == Settings()


@pytest.mark.parametrize("name", numbers())
def test_number_is_taken_up_to_its_bounds_and_refused_beyond(name: str) -> None:
    variable = f"{PREFIX}{name.upper()}"
    least, most = numbers()[name]
    others = {"HOLDFAST_DATABASE_URL": "mysql+asyncmy://db/holdfast"}
    # The lanes' connections are of the pool: each is tried with as many of the other as it needs.
    others |= {"HOLDFAST_LANES": "1"} if name == "pool_connections" else {"HOLDFAST_POOL_CONNECTIONS": "200"}
    for value in (least, most):
        assert getattr(Settings.from_environment(others | {variable: str(value)}), name) == value
    for value, bound in ((least - 1, least), (most + 1, most)):
        told = refusal({variable: str(value)})
        assert told.startswith(f"{variable}='{value}': ")
        assert str(bound) in told


BAD = {
    "a word for a number": ("HOLDFAST_PORT", "http"),
    "nothing for a number": ("HOLDFAST_PORT", ""),
    "a fraction": ("HOLDFAST_DEADLINE_SECONDS", "1.5"),
    "a number with its unit": ("HOLDFAST_DEADLINE_SECONDS", "10s"),
    "a number with a space": ("HOLDFAST_LANES", " 3"),
    "not a number": ("HOLDFAST_LANES", "NaN"),
    "a number too large for any type": ("HOLDFAST_SWEEP_BATCH", "9" * 40),
    "a word for yes": ("HOLDFAST_BENCH_ENDPOINTS", "on"),
    "a level in capitals": ("HOLDFAST_LOG_LEVEL", "INFO"),
    "a format that there is not": ("HOLDFAST_LOG_FORMAT", "text"),
    "no address": ("HOLDFAST_HOST", ""),
    "an origin with a path": ("HOLDFAST_CORS_ORIGINS", "https://shop.example/"),
    "an origin without a scheme": ("HOLDFAST_CORS_ORIGINS", "shop.example"),
    "an origin in capitals, which no browser sends": ("HOLDFAST_CORS_ORIGINS", "https://Shop.example"),
    "origins without commas": ("HOLDFAST_CORS_ORIGINS", "https://a.example https://b.example"),
}


@pytest.mark.parametrize(("variable", "value"), BAD.values(), ids=BAD)
def test_bad_setting_names_itself_and_its_value(variable: str, value: str) -> None:
    told = refusal({"HOLDFAST_WORKERS": "1", variable: value})
    assert told.startswith(f"{variable}={value!r}: "), told
    assert len(told) > len(f"{variable}={value!r}: "), "says nothing of what is allowed"


@pytest.mark.parametrize(
    "name", ["HOLDFAST_SPEED", "HOLDFAST_", "HOLDFAST_PORTS", "HOLDFAST_Workers", "HOLDFAST_DATABASE_URL_FILE"]
)
def test_name_that_is_no_setting_stops_the_start(name: str) -> None:
    told = refusal({"HOLDFAST_PORT": "8000", name: SECRET})
    assert told.startswith(f"{name} is not a setting")
    assert SECRET not in told


DATABASE_URLS = {
    "nothing": "",
    "another driver": f"mysql+pymysql://app:{SECRET}@db/holdfast",
    "another database": f"postgresql+asyncpg://app:{SECRET}@db/holdfast",
    "SQLite without a driver": f"sqlite:///{SECRET}",
    "SQLite without a file": "sqlite+aiosqlite://",
    "SQLite in memory": "sqlite+aiosqlite:///:memory:",
    "no name of the database": f"mysql+asyncmy://app:{SECRET}@db:3306/",
    "nothing after the host": f"mysql+asyncmy://app:{SECRET}@db:3306",
    "a port that is a word": f"mysql+asyncmy://app:{SECRET}@db:port/holdfast",
    "a password with a bare @": f"mysql+asyncmy://app:{SECRET}@x@db/holdfast",
    "the line's end": f"mysql+asyncmy://app:{SECRET}@db/holdfast\n",
}
REDIS_URLS = {
    "another protocol": f"http://app:{SECRET}@cache:6379/0",
    "no protocol": f":{SECRET}@cache:6379",
    "a port that is a word": f"redis://app:{SECRET}@cache:port/0",
    "a database that is a word": f"redis://app:{SECRET}@cache:6379/sessions",
}


@pytest.mark.parametrize("url", DATABASE_URLS.values(), ids=DATABASE_URLS)
def test_bad_database_url_is_named_and_not_shown(url: str) -> None:
    told = refusal({"HOLDFAST_DATABASE_URL": url})
    assert told.startswith("HOLDFAST_DATABASE_URL=…: ")
    assert "sqlite+aiosqlite:///FILE" in told
    assert SECRET not in told


@pytest.mark.parametrize("url", REDIS_URLS.values(), ids=REDIS_URLS)
def test_bad_redis_url_is_named_and_not_shown(url: str) -> None:
    told = refusal({"HOLDFAST_REDIS_URL": url})
    assert told.startswith("HOLDFAST_REDIS_URL=…: ")
    assert SECRET not in told


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HOLDFAST_DATABASE_URL", "sqlite+aiosqlite:////var/lib/holdfast/a b.sqlite3"),
        ("HOLDFAST_DATABASE_URL", "mysql+asyncmy://app:p%40ss%2Fword@db.example:3306/holdfast?ssl_ca=ca.pem"),
        ("HOLDFAST_DATABASE_URL", "mariadb+asyncmy://app@[::1]:3306/holdfast"),
        ("HOLDFAST_DATABASE_URL", "mysql+asyncmy://app@/holdfast?unix_socket=/run/mysqld.sock"),
        ("HOLDFAST_REDIS_URL", ""),
        ("HOLDFAST_REDIS_URL", "redis://cache"),
        ("HOLDFAST_REDIS_URL", "rediss://app:secret@cache:6380/3?ssl_cert_reqs=none"),
        ("HOLDFAST_REDIS_URL", "unix:///run/redis.sock?db=1"),
        ("HOLDFAST_CORS_ORIGINS", ""),
        ("HOLDFAST_CORS_ORIGINS", "*"),
        ("HOLDFAST_CORS_ORIGINS", "https://shop.example, http://localhost:3000 ,capacitor://localhost"),
        ("HOLDFAST_LOG_LEVEL", "debug"),
    ],
)
def test_text_is_taken_as_it_is(variable: str, value: str) -> None:
    settings = Settings.from_environment({variable: value})
    assert getattr(settings, variable.removeprefix(PREFIX).lower()) == value


def test_first_bad_one_is_told_and_good_ones_are_not() -> None:
    told = refusal({"HOLDFAST_PORT": "8000", "HOLDFAST_LANES": "99", "HOLDFAST_WORKERS": "0"})
    assert told.startswith("HOLDFAST_LANES='99'")
    assert "HOLDFAST_PORT" not in told


def test_several_processes_on_sqlite_are_refused_and_on_mysql_taken() -> None:
    told = refusal({"HOLDFAST_WORKERS": "2"})
    assert told.startswith("HOLDFAST_WORKERS=2: SQLite has one server process")
    environ = {"HOLDFAST_WORKERS": "2", "HOLDFAST_DATABASE_URL": "mysql+asyncmy://db/holdfast"}
    assert Settings.from_environment(environ).workers == 2


def test_lanes_that_leave_no_connection_are_refused_on_mysql_and_none_on_sqlite() -> None:
    environ = {"HOLDFAST_LANES": "11", "HOLDFAST_DATABASE_URL": "mysql+asyncmy://db/holdfast"}
    told = refusal(environ)
    assert told == "HOLDFAST_POOL_CONNECTIONS=12: with HOLDFAST_LANES=11 at least 13 are needed"
    assert Settings.from_environment(environ | {"HOLDFAST_POOL_CONNECTIONS": "13"}).lanes == 11
    assert Settings.from_environment({"HOLDFAST_LANES": "11"}).lanes == 11
