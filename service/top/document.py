"""What `holdfast top` knows, for programs; and how many holds time is about to end, or has ended unnoticed."""

import msgspec

from service.top.readings import Figures


class Holds(msgspec.Struct, frozen=True):
    """Of one account. None where nobody could be asked, and then `note` says why."""

    expiring: int | None = None
    expiring_is_exact: bool = True
    stale: int | None = None
    stale_is_exact: bool = True
    note: str = ""

    @property
    def more_expiring(self) -> str:
        return "" if self.expiring_is_exact else "+"

    @property
    def more_stale(self) -> str:
        return "" if self.stale_is_exact else "+"


class Document(msgspec.Struct, frozen=True):
    """`figures` is None where no source has answered twice."""

    sources: list[str]
    gone: dict[str, str]
    figures: Figures | None
    holds: Holds
