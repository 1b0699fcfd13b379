"""Database and Redis servers for the tests: found where there are some, else started here.

The order, for each of the two:

1. `HOLDFAST_TEST_MYSQL_URL`, `HOLDFAST_TEST_REDIS_URL`: a server that is already there. Its account must be allowed to
   create databases whose names begin with `holdfast_`.
2. A reachable Docker engine that has or can get `mysql:8.4` and `redis:7`.
3. Programs on this machine, `mariadbd` or `mysqld` and `redis-server`, run privately: free port, temporary directory.
   `HOLDFAST_TEST_MYSQLD_ROOT=DIR` names a directory tree in which a `mysqld` is run by `chroot`; it goes before Docker.

`python -m tests.servers`, which `make test` runs first, says what will be used, and on Debian and Ubuntu as root it
installs what is missing. Otherwise ServerNotFoundError says what to do: no test is skipped for want of a server.
"""

from tests.servers.find import (
    MysqlServer,
    RedisServer,
    ServerNotFoundError,
    private_mysql,
    private_redis,
    shared_mysql,
    shared_redis,
)

__all__ = [
    "MysqlServer",
    "RedisServer",
    "ServerNotFoundError",
    "private_mysql",
    "private_redis",
    "shared_mysql",
    "shared_redis",
]
