"""uvicorn's supervisor of several server processes, and what it leaves open: processes that die while being asked."""

from prometheus_client.multiprocess import mark_process_dead
from uvicorn.supervisors import Multiprocess


class Supervisor(Multiprocess):
    """Notices a death at once, and takes the gauges of the dead (their queue depth) out of what /metrics adds up."""

    def keep_subprocess_alive(self) -> None:
        for process in self.processes:
            # The child has its own copy. With ours open, its death in the middle of a health check would not end the
            # pipe, and would be noticed only after HUNG_AFTER_SECONDS.
            process.child_conn.close()
        before = {process.pid for process in self.processes}
        super().keep_subprocess_alive()
        for pid in before - {process.pid for process in self.processes}:
            if pid is not None:
                mark_process_dead(pid)  # type: ignore[no-untyped-call]
