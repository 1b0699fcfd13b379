"""uvicorn's supervisor of several server processes, and what it does not know: the metrics of those that died."""

from prometheus_client.multiprocess import mark_process_dead
from uvicorn.supervisors import Multiprocess


class Supervisor(Multiprocess):
    """Takes the gauges of a dead process (its queue depth) out of the sums that /metrics shows."""

    def keep_subprocess_alive(self) -> None:
        before = {process.pid for process in self.processes}
        super().keep_subprocess_alive()
        for pid in before - {process.pid for process in self.processes}:
            if pid is not None:
                mark_process_dead(pid)  # type: ignore[no-untyped-call]
