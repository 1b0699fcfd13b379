"""What a check says, and how checks are run: one after the other, and none of them can end the examination.

A check that needs another one, which did not end well, is not looked at. A check that raises is itself a finding.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, Literal, TypeAlias, TypeVar

import msgspec

State: TypeAlias = Literal["ok", "warning", "wrong", "not_looked_at"]

SECONDS_MAX: Final = 20.0
"""Longest time of one check; each has shorter ones of its own for what it waits for."""


class Finding(msgspec.Struct, frozen=True):
    """`mend`: commands and settings that mend it, each a line to copy."""

    state: State
    seen: str
    mend: tuple[str, ...] = ()


def ok(seen: str) -> Finding:
    return Finding("ok", seen)


def warning(seen: str, *mend: str) -> Finding:
    return Finding("warning", seen, mend)


def wrong(seen: str, *mend: str) -> Finding:
    return Finding("wrong", seen, mend)


def not_looked_at(why: str, *mend: str) -> Finding:
    return Finding("not_looked_at", why, mend)


Subject = TypeVar("Subject")


class Check(msgspec.Struct, Generic[Subject], frozen=True):
    """One look at a subject. `needs`: names of checks before it, none of which may be wrong or not looked at."""

    group: str
    name: str
    look: Callable[[Subject], Awaitable[Finding]]
    needs: tuple[str, ...] = ()


class Result(msgspec.Struct, frozen=True):
    """What a check has found."""

    group: str
    check: str
    state: State
    seen: str
    mend: tuple[str, ...]


async def examine(checks: Sequence[Check[Subject]], subject: Subject, on_check: Callable[[str], None]) -> list[Result]:
    """The result of every check, in their order."""
    results: list[Result] = []
    failed: list[str] = []
    for check in checks:
        on_check(f"{check.group}: {check.name}")
        missing = next((name for name in failed if name in check.needs), None)
        finding = await _look(check, subject) if missing is None else not_looked_at(f"{missing} comes first")
        if finding.state in {"wrong", "not_looked_at"}:
            failed.append(check.name)
        results.append(Result(check.group, check.name, finding.state, finding.seen, finding.mend))
    return results


async def _look(check: Check[Subject], subject: Subject) -> Finding:
    try:
        async with asyncio.timeout(SECONDS_MAX):
            return await check.look(subject)
    except TimeoutError:
        return wrong(f"no answer within {SECONDS_MAX:g} s")
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what this check has to say
        return wrong(f"could not be looked at: {told(error)}")


def told(error: BaseException) -> str:
    """An error in one line: in the words of the driver or the library that met it first, where they have any."""
    deepest = _causes(error)[-1]
    words = [part for part in deepest.args if isinstance(part, str) and part]
    text = " ".join((words[-1] if words else str(deepest)).split())
    return text or type(deepest).__name__


def codes_of(error: BaseException) -> set[int]:
    """The numbers that the error and its causes carry: a server's codes."""
    arguments = [
        part for cause in _causes(error) for part in (*cause.args, *getattr(getattr(cause, "orig", None), "args", ()))
    ]
    return {part for part in arguments if isinstance(part, int)}


def _causes(error: BaseException) -> list[BaseException]:
    """The error and what it came from; one that was raised from itself is there once."""
    found = [error]
    while (cause := found[-1].__cause__) is not None and cause not in found:
        found.append(cause)
    return found
