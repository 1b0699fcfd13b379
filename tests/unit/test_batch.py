"""One batch: durable whole, tried anew after a conflict, taken apart by conflicts and by poison, told the truth."""

from pathlib import Path

import pytest

from service.engine.waiting import CommandPoisoned, Waiting
from service.refusals import StoreUnavailable
from tests.unit.builders import identifier
from tests.unit.scratch_domain import Add, Engine, engine, waiting


async def answers(made: Engine, batch: list[Waiting[Add, int]]) -> list[int | str]:
    """What each command was told after the batch has run: its value, or the name of what went wrong."""
    await made.runner.run(batch)
    assert all(one.answer.done() for one in batch), "nobody may wait for ever"
    return [type(error).__name__ if (error := one.answer.exception()) else one.answer.result() for one in batch]


def shown(made: Engine) -> list[str]:
    """The attempts, each as the names of its commands' counters."""
    return ["".join(command.counter for command in attempt) for attempt in made.domain.attempts]


async def test_batch_is_one_transaction_in_order(tmp_path: Path) -> None:
    async with engine(tmp_path) as made:
        assert await answers(made, [waiting("a"), waiting("b", 5), waiting("a", 2)]) == [1, 5, 3]
        assert shown(made) == ["aba"]
        assert await made.values() == {"a": 3, "b": 5, "c": 0, "d": 0}
        async with made.store.read() as reader:
            assert len(await reader.rows("SELECT id FROM batches")) == 2, "one marker a transaction, the filling's too"


async def test_batch_is_decided_anew_when_another_was_first(tmp_path: Path) -> None:
    async with engine(tmp_path) as made:
        made.domain.rivals["a"] = 1
        assert await answers(made, [waiting("a"), waiting("b")]) == [1, 1]
        assert shown(made) == ["ab", "ab"]
        assert await made.values() == {"a": 1, "b": 1, "c": 0, "d": 0}


async def test_contested_commands_run_apart_after_the_second_conflict(tmp_path: Path) -> None:
    async with engine(tmp_path) as made:
        made.domain.rivals["c"] = 4
        assert await answers(made, [waiting(name) for name in "abcdc"]) == [1, 1, 1, 1, 2]
        assert shown(made) == ["abcdc", "abcdc", "abd", "cc", "cc", "cc"]


async def test_row_that_is_always_contested_holds_up_nobody_else(tmp_path: Path) -> None:
    async with engine(tmp_path, conflict_retries_max=3) as made:
        made.domain.rivals["b"] = 1_000_000
        told = await answers(made, [waiting(name) for name in "abc"])
        assert told == [1, "StoreUnavailable", 1]
        assert await made.values() == {"a": 1, "b": 0, "c": 1, "d": 0}


async def test_commands_in_the_way_of_nobody_knows_what_stand_alone_at_last(tmp_path: Path) -> None:
    async with engine(tmp_path, conflict_retries_max=6) as made:
        batch = [waiting("a"), waiting("b", again=True), waiting("c"), waiting("d")]
        assert await answers(made, batch) == [1, "StoreUnavailable", 1, 1]
        assert await made.values() == {"a": 1, "b": 0, "c": 1, "d": 1}
        assert made.hot_rows.hot() == []


async def test_conflicts_make_a_row_hot_for_the_lanes_that_met_it(tmp_path: Path) -> None:
    async with engine(tmp_path, hot_row_conflicts=3) as made:
        made.domain.rivals["b"] = 4
        await made.runner.run([waiting("a", lane_key="first"), waiting("b", lane_key="second")])
        row = ("counters", identifier("b"))
        assert made.hot_rows.hot() == [row]
        assert made.hot_rows.among(["second"]) == {row}
        assert made.hot_rows.among(["first"]) == frozenset()


@pytest.mark.parametrize("poisoned", [0, 1, 4, 7])
async def test_poison_is_found_by_halves_and_only_it_fails(tmp_path: Path, poisoned: int) -> None:
    """Eight commands, one of which breaks a CHECK: a bug's own error, which is no conflict."""
    async with engine(tmp_path, counters="abcdefgh") as made:
        batch = [waiting(name, -1 if place == poisoned else 1) for place, name in enumerate("abcdefgh")]
        told = await answers(made, batch)
        assert told == [1] * poisoned + ["CommandPoisoned"] + [1] * (7 - poisoned)
        values = await made.values()
        assert list(values.values()) == [int(place != poisoned) for place in range(8)]
        sizes = [len(attempt) for attempt in made.domain.attempts]
        # 8, two halves of 4, two of 2, two alone, and the one that failed alone once more.
        assert sorted(sizes, reverse=True) == [8, 4, 4, 2, 2, 1, 1, 1]


async def test_command_alone_is_tried_twice_before_it_is_refused(tmp_path: Path) -> None:
    async with engine(tmp_path) as made:
        assert await answers(made, [waiting("a", -1)]) == ["CommandPoisoned"]
        assert shown(made) == ["a", "a"]


async def test_two_poisoned_commands_are_both_found(tmp_path: Path) -> None:
    async with engine(tmp_path) as made:
        told = await answers(made, [waiting("a", -1), waiting("b"), waiting("c"), waiting("d", -1)])
        assert told == ["CommandPoisoned", 1, 1, "CommandPoisoned"]


async def test_later_commands_do_not_rest_on_a_poisoned_one(tmp_path: Path) -> None:
    """Together they would break nothing: the batch as a whole is sound, and stays whole."""
    async with engine(tmp_path) as made:
        assert await answers(made, [waiting("a", -1), waiting("a", 2)]) == [-1, 1]
        assert await answers(made, [waiting("a", -5), waiting("a", 1), waiting("b", 1)]) == ["CommandPoisoned", 2, 1]
        assert await made.values() == {"a": 2, "b": 1, "c": 0, "d": 0}


async def test_full_disk_is_no_poison_and_nobody_is_run_again(tmp_path: Path) -> None:
    async with engine(tmp_path) as made:
        made.domain.room_ends = True
        assert await answers(made, [waiting("a"), waiting("b")]) == ["StoreUnavailable"] * 2
        assert shown(made) == ["ab"]
        made.domain.room_ends = False
        assert await made.values() == {"a": 0, "b": 0, "c": 0, "d": 0}


async def test_command_past_its_deadline_is_not_run(tmp_path: Path) -> None:
    async with engine(tmp_path) as made:
        late, in_time = waiting("a", seconds=-1), waiting("b")
        assert await answers(made, [late, in_time]) == ["StoreUnavailable", 1]
        assert shown(made) == ["b"]


async def test_conflicts_end_with_the_deadline(tmp_path: Path) -> None:
    async with engine(tmp_path, conflict_retries_max=1_000_000) as made:
        made.domain.rivals["a"] = 1_000_000
        batch = [waiting("a", seconds=0.05)]
        await made.runner.run(batch)
        assert isinstance(batch[0].answer.exception(), StoreUnavailable)
        assert await made.values() == {"a": 0, "b": 0, "c": 0, "d": 0}


async def test_client_that_has_gone_spoils_nobody_elses_answer(tmp_path: Path) -> None:
    async with engine(tmp_path) as made:
        gone, stays = waiting("a"), waiting("b")
        gone.answer.cancel()
        await made.runner.run([gone, stays])
        assert stays.answer.result() == 1


async def test_what_is_durable_is_not_run_again_whatever_fails_after_it(tmp_path: Path) -> None:
    async with engine(tmp_path) as made:
        made.domain.counts_wrong = True
        assert await answers(made, [waiting("a"), waiting("b")]) == [1, 1]
        assert shown(made) == ["ab"]
        assert await made.values() == {"a": 1, "b": 1, "c": 0, "d": 0}
        assert [entry["event"] for entry in made.logged] == ["batch_runner_failed"]


async def test_poison_tells_its_kind_and_is_an_error_in_the_log(tmp_path: Path) -> None:
    async with engine(tmp_path) as made:
        batch = [waiting("a", -1)]
        await made.runner.run(batch)
        error = batch[0].answer.exception()
        assert isinstance(error, CommandPoisoned)
        assert str(error) == "IntegrityError"
        assert type(error.__cause__).__name__ == "IntegrityError", "the log of its request shows where it failed"
        (poisoned,) = [entry for entry in made.logged if entry["event"] == "command_poisoned"]
        assert (poisoned["log_level"], poisoned["command"]) == ("error", "Add")
