"""What the machine says of itself and of the processes under test, from /proc."""

import os
import platform
from collections.abc import Iterable
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def with_children(pid: int) -> list[int]:
    """The process and all its descendants."""
    found = [pid]
    for parent in found:
        listed = PROC / str(parent) / "task" / str(parent) / "children"
        if listed.exists():
            found += [int(child) for child in listed.read_text().split()]
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """Processor time that the processes have used so far, in user and in kernel mode."""
    ticks = 0
    for pid in pids:
        # The name in brackets may itself have blanks and brackets.
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS_PER_SECOND


def cpu_seconds_of_everybody() -> float:
    """Processor time that all processes of the machine have used since it started."""
    fields = (PROC / "stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _waiting, interrupts, soft = (int(field) for field in fields[:7])
    return (user + nice + system + interrupts + soft) / TICKS_PER_SECOND


def rss_mb(pid: int) -> float:
    """Resident memory of the process, in millions of bytes."""
    for line in (PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise LookupError(f"process {pid} has no VmRSS")


def description() -> dict[str, object]:
    """For the report: on what machine the numbers came about."""
    return {
        "processor": _processor(),
        "cores": cores(),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def load_average() -> float:
    """Of the last minute: on an idle machine it is near 0 before the run."""
    return os.getloadavg()[0]


def _processor() -> str:
    listed = PROC / "cpuinfo"
    names = [
        line.partition(":")[2].strip() for line in listed.read_text().splitlines() if line.startswith("model name")
    ]
    return names[0] if names else platform.machine()
