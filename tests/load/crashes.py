"""Launcher: the service with a decision that crashes for every customer whose name begins with `crash`.

`python -m tests.load.crashes serve …`. A bug of one command must fail that command alone, whoever shares its batch.
"""

from collections.abc import Sequence
from typing import Any

from service import cli
from service.reservations import attempt
from service.reservations.commands import CreateReservation

MARK = "crash"

decide = attempt.decide


def decide_or_crash(work: Any, commands: Sequence[object], *rest: Any) -> Any:
    for command in commands:
        if isinstance(command, CreateReservation) and (command.customer or "").startswith(MARK):
            raise ZeroDivisionError(command.customer)
    return decide(work, commands, *rest)


if __name__ == "__main__":
    attempt.decide = decide_or_crash
    cli.main()
