"""All kinds of faults, each with the row of reliability.md that it belongs to.

Row 13, sweeps and actions against each other, is in all of them: two workers sweep, holds are short, rows are few.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tests.faults.soak import network_faults as network
from tests.faults.soak import process_faults as process
from tests.faults.soak import server_faults as server
from tests.faults.soak.scene import Scene
from tests.races.databases import StoreName

BOTH: tuple[StoreName, ...] = ("mysql", "sqlite")
MYSQL: tuple[StoreName, ...] = ("mysql",)
SQLITE: tuple[StoreName, ...] = ("sqlite",)


class Kind(NamedTuple):
    """`inject` makes it happen, takes it back and says what was done; AssertionError: it did not happen."""

    row: int
    name: str
    stores: tuple[StoreName, ...]
    inject: Callable[[Scene], str]


KINDS = (
    Kind(1, "request cut", BOTH, network.cut_request),
    Kind(2, "API killed", BOTH, process.kill_api),
    Kind(2, "API killed in a transaction", BOTH, process.kill_api_in_transaction),
    Kind(3, "API killed after COMMIT", BOTH, process.kill_api_after_commit),
    Kind(3, "API killed while its answers stall", BOTH, process.kill_api_while_it_answers),
    Kind(4, "answer cut", BOTH, network.cut_answer),
    Kind(5, "clients vanish", BOTH, network.clients_vanish),
    Kind(6, "database refuses", MYSQL, network.database_refuses),
    Kind(6, "database stopped", MYSQL, server.stop_database),
    Kind(7, "database killed", MYSQL, server.kill_database),
    Kind(7, "database paused", MYSQL, server.pause_database),
    Kind(7, "database connections cut", MYSQL, network.database_cut),
    Kind(7, "database sessions ended", MYSQL, server.end_sessions),
    Kind(7, "database silent", MYSQL, network.database_silent),
    Kind(8, "COMMIT cut", MYSQL, network.cut_commit),
    Kind(8, "COMMIT unknown", MYSQL, network.commit_unknown),
    Kind(9, "rows locked", MYSQL, server.lock_rows),
    Kind(9, "file locked", SQLITE, server.lock_file),
    Kind(10, "Redis gone", MYSQL, server.stop_redis),
    Kind(10, "Redis paused", MYSQL, server.pause_redis),
    Kind(10, "Redis emptied", MYSQL, server.empty_redis),
    Kind(11, "Redis locks stolen", MYSQL, server.steal_locks),
    Kind(12, "worker killed", MYSQL, process.kill_worker),
    Kind(12, "worker killed in publishing", MYSQL, process.kill_worker_in_publishing),
    Kind(13, "worker killed in a sweep", MYSQL, process.kill_worker_in_sweep),
    Kind(14, "API paused", BOTH, process.pause_api),
    Kind(14, "API paused in a transaction", BOTH, process.pause_api_in_transaction),
    Kind(14, "worker paused", MYSQL, process.pause_worker),
    Kind(15, "API told to end", BOTH, process.tell_api_to_end),
    Kind(15, "worker told to end", MYSQL, process.tell_worker_to_end),
    Kind(16, "deploy", BOTH, process.deploy),
    Kind(17, "records purged", BOTH, server.purge_records),
    Kind(18, "clock wrong", MYSQL, process.set_clock_wrong),
    Kind(19, "disk full", BOTH, server.fill_disk),
)


def kinds_of(store: StoreName, only: Sequence[str] = ()) -> list[Kind]:
    """The store's kinds, or those of `only`."""
    return [kind for kind in KINDS if store in kind.stores and (not only or kind.name in only)]
