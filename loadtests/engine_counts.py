"""What the engine of a stack has done, as its processes' /metrics tell it."""

import msgspec

from loadtests.stack import Stack
from tests.races.metrics import counted


class EngineCounts(msgspec.Struct, frozen=True):
    """Summed over all API processes. `conflicts` are rows that another transaction had changed first."""

    batches: int
    commands_a_batch: float
    conflicts: int
    splits: int
    poisoned: int
    row_locks: int


def engine_counts(stack: Stack) -> EngineCounts:
    """As they are now."""

    def summed(name: str) -> int:
        return int(sum(counted(service, f"holdfast_{name}") for service in stack.services))

    batches = summed("batch_commands_count")
    return EngineCounts(
        batches=batches,
        commands_a_batch=summed("batch_commands_sum") / batches if batches else 0.0,
        conflicts=summed("conflicts_total"),
        splits=summed("batch_splits_total"),
        poisoned=summed("commands_poisoned_total"),
        row_locks=summed("hot_row_locks_total"),
    )
