"""How two processes of pytest share the suite: `make test` waits for servers and disks half of its time.

A part is what one file tests on one store, so that fixtures of a module are made once. The parts keep pytest's order,
all of one store before all of the other: each process starts its shared service once for each store.
"""

import re
from typing import Final

from xdist.scheduler import LoadScopeScheduling

STORE: Final = re.compile(r"[\[-](sqlite|mysql)[\]-]")


class SideBySide(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out the parts in order, each to whoever is free."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        store = STORE.search(test)
        return f"{file} {store[1]}" if store else file
