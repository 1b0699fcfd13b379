"""Launcher: the service on a host whose clock is wrong by HOLDFAST_TEST_CLOCK_OFFSET_S seconds.

`python -m tests.faults.wrong_clock serve …`. Everything in the process that asks for the time of day gets the wrong
one; time that merely passes (time.monotonic) is right, as on a real host.
"""

import os
import time

OFFSET_S = int(os.environ["HOLDFAST_TEST_CLOCK_OFFSET_S"])
right_time, right_time_ns = time.time, time.time_ns


def wrong_time() -> float:
    return right_time() + OFFSET_S


def wrong_time_ns() -> int:
    return right_time_ns() + OFFSET_S * 1_000_000_000


def install() -> None:
    """To be called before anything of the service is loaded, which may keep the functions by name."""
    time.time, time.time_ns = wrong_time, wrong_time_ns


if __name__ == "__main__":
    install()
    from service import cli

    cli.main()
