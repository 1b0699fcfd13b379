"""The host's clock and the database's. Holds are judged by the database's; the host's dates logs and answers."""

import time
from collections.abc import Awaitable, Callable
from typing import Final

from service.clock import now_ms
from service.doctor.findings import Finding, ok, warning, wrong
from service.doctor.patient import Patient

LOOKS: Final = 5
WARNING_MS: Final = 1_000
WRONG_MS: Final = 10_000

MEND = ("timedatectl set-ntp true (on the host whose clock is wrong; `timedatectl` tells which)",)


async def skew(patient: Patient) -> Finding:
    """How far apart they are, but for what the way there and back may hide."""
    async with patient.store.read() as reader:
        await reader.now_ms()  # the first also prepares the statement
        ahead, unsure = await measured(reader.now_ms)
    return judged(ahead, unsure, "the database's")


async def measured(ask: Callable[[], Awaitable[int]]) -> tuple[float, float]:
    """By how many ms the host's clock is ahead, and how far off that may be: half of the quickest round trip."""
    best = (0.0, float("inf"))
    for _ in range(LOOKS):
        before, begun = time.time_ns() / 1e6, time.monotonic_ns()
        theirs = await ask()
        way = (time.monotonic_ns() - begun) / 1e6
        if way / 2 < best[1]:
            best = (before + way / 2 - theirs, way / 2)
    return best


def judged(ahead: float, unsure: float, whose: str) -> Finding:
    """What a difference in ms means."""
    side = "ahead of" if ahead > 0 else "behind"
    seen = f"this host's clock is {abs(ahead) / 1000:,.3f} s {side} {whose} (± {unsure / 1000:.3f} s)"
    least = abs(ahead) - unsure
    if least > WRONG_MS:
        return wrong(seen, *MEND)
    return warning(seen, *MEND) if least > WARNING_MS else ok(seen)


async def set_back(patient: Patient) -> Finding:
    """On SQLite the host's clock is the only one: it must not be behind what it has written already."""
    async with patient.store.read() as reader:
        newest = (await reader.rows("SELECT MAX(written_at) FROM batches"))[0][0]
    behind = 0 if newest is None else int(newest) - now_ms()
    if behind <= WARNING_MS:
        return ok("the host's clock is the only one, and it is not behind what was written")
    seen = f"the clock was set back, by {behind / 1000:,.0f} s: what was written last is in the future"
    return wrong(seen, *MEND) if behind > WRONG_MS else warning(seen, *MEND)
