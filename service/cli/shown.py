"""Reservations in the columns of a terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from service.cli.durations import show_duration
from service.cli.output import print_table
from service.clock import from_rfc3339

if TYPE_CHECKING:
    from service.reservations.views import ReservationView

_LINES_SHOWN: Final = 4
_NO_DECIMALS: Final = {
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF",
    "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF",
}  # fmt: skip
_THREE_DECIMALS: Final = {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"}
_DECIMALS: Final = dict.fromkeys(_NO_DECIMALS, 0) | dict.fromkeys(_THREE_DECIMALS, 3) | {"CLF": 4, "UYW": 4}
"""Those that have not two."""


def seconds_between(earlier: str, later: str) -> int:
    """Whole seconds from one instant to the other, both of RFC 3339."""
    return (from_rfc3339(later) - from_rfc3339(earlier)) // 1000


def is_stale(reservation: "ReservationView") -> bool:
    """A hold whose time is over, which nobody has ended yet."""
    return reservation.hold_remaining_s == 0


def ends(reservation: "ReservationView", as_of: str) -> str:
    """When a hold's time is over, as a person says it."""
    if reservation.hold_expires_at is None:
        return ""
    left = seconds_between(as_of, reservation.hold_expires_at)
    return f"over for {show_duration(left)}" if left <= 0 else f"in {show_duration(left)}"


def what(reservation: "ReservationView") -> str:
    """What it claims: seats by event, stock by SKU; lines that were given back are left out."""
    claims: dict[str, list[str]] = {}
    for line in reservation.lines:
        if line.released_at:
            continue
        if line.sku:
            claims.setdefault(f"{line.quantity} of {line.sku}", [])
        else:
            claims.setdefault(str(line.event), []).append(str(line.seat or "any seat"))
    return "; ".join(f"{name} {_some(places)}".strip() for name, places in claims.items())


def _some(places: Sequence[str]) -> str:
    more = len(places) - _LINES_SHOWN
    return ", ".join(places[:_LINES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def print_holds(holds: "Sequence[ReservationView]", as_of: str) -> None:
    """A table, a row each; ages and ends as of an instant of the service's clock."""
    print_table(
        ["reference", "hold", "age", "ends", "customer", "what"],
        [
            [
                hold.reference,
                "stale" if is_stale(hold) else "live",
                show_duration(seconds_between(hold.created_at, as_of)),
                ends(hold, as_of),
                hold.customer or "",
                what(hold),
            ]
            for hold in holds
        ],
    )


def print_reservations(reservations: "Sequence[ReservationView]", as_of: str) -> None:
    """A table, a row each, in whatever state; ages as of an instant of the service's clock."""
    print_table(
        ["reference", "state", "age", "customer", "your reference", "what"],
        [
            [
                each.reference,
                each.state,
                show_duration(seconds_between(each.created_at, as_of)),
                each.customer or "",
                each.external_reference or "",
                what(each),
            ]
            for each in reservations
        ],
    )


def totals(reservation: "ReservationView") -> str:
    """The sums, one a currency."""
    return ", ".join(money(total.amount, total.currency) for total in reservation.totals)


def money(amount: int, currency: str) -> str:
    """Minor units as people write them, with as many decimals as the currency has (ISO 4217)."""
    decimals = _DECIMALS.get(currency, 2)
    return f"{amount / 10**decimals:,.{decimals}f} {currency}"
