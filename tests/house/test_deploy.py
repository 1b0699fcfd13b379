"""deploy/Dockerfile and docker-compose.yml fit the code: commands, settings, files, order of starting.

They cannot be built and started here without a container engine; what can be read can be held against the code.
"""

import fnmatch
import json
import re
from typing import Any

import pytest
import yaml

from service.settings import PREFIX, Settings
from tests.house.test_documents import misused
from tests.house.tree import ROOT

COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
DEFAULTED = re.compile(r"\$\{\w+:-([^}]*)\}")
LONG_RUNNING = ("mysql", "redis", "api", "worker")
OURS = ("migrate", "api", "worker")


def compose() -> Any:
    """The file as an engine sees it where the environment sets nothing."""
    return yaml.safe_load(DEFAULTED.sub(r"\1", COMPOSE.read_text()))


def services() -> dict[str, Any]:
    found: dict[str, Any] = compose()["services"]
    return found


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments, each on one line."""
    lines = (line for line in DOCKERFILE.read_text().splitlines() if not line.startswith("#"))
    text = "\n".join(lines).replace("\\\n", " ")
    parted = (line.partition(" ") for line in text.splitlines() if line.strip())
    return [(name, " ".join(rest.split())) for name, _, rest in parted]


def arguments_of(instruction: str) -> list[str]:
    return [rest for name, rest in instructions() if name == instruction]


def image_environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in " ".join(arguments_of("ENV")).split())


def test_compose_has_all_parts() -> None:
    assert set(services()) == {*LONG_RUNNING, "migrate"}


@pytest.mark.parametrize("name", OURS)
def test_service_is_built_from_the_dockerfile(name: str) -> None:
    build = services()[name]["build"]
    assert ROOT / build["context"] / build["dockerfile"] == DOCKERFILE


@pytest.mark.parametrize("name", OURS)
def test_command_of_a_service_exists(name: str) -> None:
    assert misused(services()[name]["command"]) is None


@pytest.mark.parametrize("name", OURS)
def test_settings_of_a_service_are_accepted(name: str) -> None:
    settings = Settings.from_environment({**image_environment(), **services()[name]["environment"]})
    assert not settings.is_sqlite
    assert settings.host == "0.0.0.0"


def test_database_and_redis_of_the_settings_are_services_with_these_names_and_rights() -> None:
    mysql = services()["mysql"]["environment"]
    settings = Settings.from_environment(services()["api"]["environment"])
    user, password, name = mysql["MYSQL_USER"], mysql["MYSQL_PASSWORD"], mysql["MYSQL_DATABASE"]
    assert settings.database_url == f"mysql+asyncmy://{user}:{password}@mysql:3306/{name}"
    assert settings.redis_url == "redis://redis:6379/0"


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_service_that_goes_on_is_watched_and_started_again(name: str) -> None:
    service = services()[name]
    assert service["healthcheck"]["test"]
    assert service["restart"] == "unless-stopped"


def test_nothing_serves_before_the_schema_is_current() -> None:
    assert services()["migrate"]["command"] == ["db", "upgrade"]
    assert services()["migrate"]["depends_on"]["mysql"]["condition"] == "service_healthy"
    for name in ("api", "worker"):
        assert services()[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"


def test_api_and_worker_may_finish_what_runs() -> None:
    settings = Settings.from_environment(services()["api"]["environment"])
    for name in ("api", "worker"):
        grace = services()[name]["stop_grace_period"]
        assert int(grace.removesuffix("s")) > 2 * settings.drain_seconds


def test_health_checks_ask_where_something_listens() -> None:
    api, worker = services()["api"], services()["worker"]
    assert api["healthcheck"]["test"][-1] == "/readyz"
    port = str(Settings.from_environment(worker["environment"]).worker_metrics_port)
    assert worker["healthcheck"]["test"][-2:] == ["/metrics", port]
    script = json.loads(arguments_of("HEALTHCHECK")[0].partition("CMD ")[2])[1]
    for test in (api["healthcheck"]["test"], worker["healthcheck"]["test"]):
        assert test[1:3] == ["python", script]
    assert f"COPY deploy/healthcheck.py {script.rpartition('/')[0]}/" in DOCKERFILE.read_text()


def test_published_port_is_the_one_that_the_service_listens_on() -> None:
    published = services()["api"]["ports"][0].rpartition(":")[2]
    settings = Settings.from_environment({**image_environment(), **services()["api"]["environment"]})
    assert published == str(settings.port) == arguments_of("EXPOSE")[0]


def test_image_runs_a_command_that_exists_without_rights() -> None:
    assert json.loads(arguments_of("ENTRYPOINT")[0]) == ["holdfast"]
    assert misused(json.loads(arguments_of("CMD")[0])) is None
    user = arguments_of("USER")[-1].partition(":")[0]
    assert user.isdecimal()
    assert int(user) > 0
    assert Settings.from_environment(
        {name: value for name, value in image_environment().items() if name.startswith(PREFIX)}
    ).is_sqlite


def test_image_takes_only_files_that_exist_and_are_sent_to_the_engine() -> None:
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    sources = [word for rest in arguments_of("COPY") for word in rest.split()[:-1] if not word.startswith("--")]
    assert sources
    for source in sources:
        assert (ROOT / source).exists(), f"COPY {source}"
        assert not any(fnmatch.fnmatch(source, pattern) for pattern in ignored), f".dockerignore keeps {source} back"


def test_image_installs_nothing_without_a_hash() -> None:
    installs = [rest for rest in arguments_of("RUN") if "pip install" in rest or "pip wheel" in rest]
    assert installs
    for command in installs:
        assert "--require-hashes" in command or "--no-deps" in command, command


def test_commands_that_are_run_in_a_container_exist() -> None:
    texts = [path.read_text() for path in (ROOT / "README.md", COMPOSE)]
    runs = [words for text in texts for words in re.findall(r"docker compose run (.*)", text)]
    assert runs
    for words in runs:
        options, service, command = words.partition(" api ")
        assert set(options.split()) <= {"--rm", "--no-deps"}
        assert service.strip() in services()
        assert misused(command.split()) is None
