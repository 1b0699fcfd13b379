"""`python -m tests.servers`: makes sure that the tests will find their servers, and says which.

On Debian and Ubuntu as root it installs what is missing. Packages install without starting a service: the tests run
their own private servers, and a service that nobody asked for would only be in the way.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.containers import MYSQL_IMAGE, REDIS_IMAGE, UnavailableError, require_image
from tests.servers.find import MYSQL_URL, MYSQLD_ROOT, REDIS_URL, ServerNotFoundError
from tests.servers.mysql import PROGRAMS as MYSQL_PROGRAMS
from tests.servers.mysql import find_program
from tests.servers.redis import PROGRAMS as REDIS_PROGRAMS

# Debian's package scripts ask this program before they start a service; 101 means: not allowed.
POLICY = Path("/usr/sbin/policy-rc.d")


def prepare() -> None:
    """Prints where each server will come from. Raises ServerNotFoundError."""
    mysqld_root = os.environ.get(MYSQLD_ROOT)
    if mysqld_root and not os.environ.get(MYSQL_URL):
        print(f"MySQL: mysqld in {mysqld_root}, from {MYSQLD_ROOT}")
    else:
        _prepare("MySQL", MYSQL_URL, MYSQL_IMAGE, MYSQL_PROGRAMS, "mariadb-server")
    _prepare("Redis", REDIS_URL, REDIS_IMAGE, REDIS_PROGRAMS, "redis-server")


def _prepare(kind: str, variable: str, image: str, programs: tuple[str, ...], package: str) -> None:
    if os.environ.get(variable):
        print(f"{kind}: from {variable}")
        return
    try:
        require_image(image)
    except UnavailableError as error:
        print(f"{kind}: {error}")
    else:
        print(f"{kind}: Docker, {image}")
        return
    program = find_program(programs)
    if program is None and _can_install():
        _install(package)
        program = find_program(programs)
    if program is None:
        raise ServerNotFoundError(kind, variable, package)
    print(f"{kind}: {program}, run privately")


def _can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def _install(package: str) -> None:
    print(f"apt-get install {package}, its service not started …", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _services_stay_down():
        for arguments in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", package]):
            done = subprocess.run(["apt-get", *arguments], env=environment, check=False, capture_output=True, text=True)
            if done.returncode != 0:
                print(f"apt-get {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}", file=sys.stderr)


@contextmanager
def _services_stay_down() -> Iterator[None]:
    if POLICY.exists():  # the machine has a policy of its own
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


if __name__ == "__main__":
    try:
        prepare()
    except ServerNotFoundError as error:
        sys.exit(f"\n{error}")
