"""What a verification found: counts for programs, the first offences in words for people."""

from collections import Counter
from typing import Literal

import msgspec

OFFENCES_SHOWN = 50

Kind = Literal["lost", "doubled", "oversold", "untrue"]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """`lost`, `doubled`, `oversold` and `untrue` count offences; `offences` names the first of them.

    lost: told and not there. doubled: one operation, two effects. oversold: more claimed at one time than there is.
    untrue: whatever else the service told and does not stand by, or has and told nobody.
    `operations` are idempotency keys, `asked` and `told` lines of ledgers, `tries` requests whose end is in a told
    answer. `unacknowledged` operations never had a final answer: no offence by themselves, and 0 where clients insist.
    """

    operations: int
    asked: int
    told: int
    replays: int
    tries: int
    acknowledged: int
    unacknowledged: int
    successes: int
    refusals: int
    failures_expected: int
    reservations: int
    lost: int
    doubled: int
    oversold: int
    untrue: int
    offences: list[str]

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.oversold or self.untrue)


class Findings:
    """Offences as they are found."""

    def __init__(self) -> None:
        self.counts: Counter[Kind] = Counter()
        self.words: list[str] = []

    def add(self, kind: Kind, words: str) -> None:
        self.counts[kind] += 1
        if len(self.words) < OFFENCES_SHOWN:
            self.words.append(f"{kind}: {words}")
