"""`holdfast reservations show`: one reservation, and everything that happened to it, as one timeline."""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

from collections.abc import Iterator
from typing import TYPE_CHECKING

from service.cli.desk import Desk
from service.cli.output import print_line, print_table
from service.cli.shown import ends, is_stale, money, totals

if TYPE_CHECKING:
    from service.reservations.timeline import TimelineEntry
    from service.reservations.views import LineView, ReservationView


async def look_at(desk: Desk, reference: str) -> "tuple[ReservationView, list[TimelineEntry], str]":
    """The reservation, its changes oldest first, and the service's time."""
    from service.client import operators

    pages = [page async for page in desk.client.pages(operators.timeline(reference, page_size=500))]
    return pages[-1].reservation, [entry for page in pages for entry in page.entries], await desk.now()


def tell(reservation: "ReservationView", entries: "list[TimelineEntry]", as_of: str) -> None:
    """For people."""
    state = "held, but its time is over" if is_stale(reservation) else reservation.state
    print_line(f"{reservation.reference}  {state}, version {reservation.version}, as of {as_of}")
    for name, value in (
        ("hold ends", reservation.hold_expires_at and f"{reservation.hold_expires_at} ({ends(reservation, as_of)})"),
        ("waits until", reservation.wait_expires_at),
        ("customer", reservation.customer),
        ("your reference", reservation.external_reference),
        ("total", totals(reservation)),
        ("metadata", _json(reservation.metadata)),
    ):
        if value:
            print_line(f"  {name}: {value}")
    print_table(["line", "what", "quantity", "amount", "given back"], [_line(line) for line in reservation.lines])
    for entry in entries:
        print_line(_headline(entry))
        for detail in _details(entry):
            print_line(f"{'':26}{detail}")


def _json(metadata: "dict[str, object] | None") -> str:
    import msgspec

    return "" if metadata is None else msgspec.json.encode(metadata).decode()


def _line(line: "LineView") -> list[str]:
    what = f"{line.sku} at {line.location}" if line.sku else f"{line.event} {line.seat or 'a seat not yet chosen'}"
    amount = "" if line.amount is None or line.currency is None else money(line.amount, line.currency)
    return [str(line.line), what, f"{line.quantity:,}", amount, line.released_at or ""]


def _headline(entry: "TimelineEntry") -> str:
    moved = f"{entry.source or 'nothing'} → {entry.target}"
    return f"{entry.at}  version {entry.version}  {entry.action}: {moved}  by {entry.actor}"


def _details(entry: "TimelineEntry") -> Iterator[str]:
    if entry.reason:
        yield f"because: {entry.reason}"
    unseen = "" if entry.message.sequenced else ", which readers do not see yet"
    yield f"message {entry.message.id} {entry.message.type}{unseen}"
    for key in entry.keys:
        yield f"answered {key.status} to the key with the id {key.key_id}, and again until {key.expires_at}"
