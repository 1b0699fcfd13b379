"""What operators do and ask, beside the operations of calls.py: most of it needs an API key with the scope `ops`."""

from collections.abc import Sequence
from typing import Literal

from service.client.calls import Call, Listing, change, read
from service.idempotency.routes import RecordsView
from service.reservations.hot_rows_routes import HotRowsView
from service.reservations.releases_routes import PostReleases, ReleaseOutcomes, SeenReservation
from service.reservations.timeline import Timeline, TimelineEntry
from service.reservations.views import ReservationCount, ReservationView

RELEASES = "/v1/reservation-releases"


def release_seen(reservations: Sequence[ReservationView], reason: str | None = None) -> Call[ReleaseOutcomes]:
    """Release up to 500 reservations, each only if it is still as it was seen."""
    seen = [SeenReservation(each.reference, each.version) for each in reservations]
    return change("POST", RELEASES, ReleaseOutcomes, PostReleases(seen, reason))


def count_reservations(  # noqa: PLR0913 - all that narrows a list
    *,
    state: Literal["pending", "held", "confirmed", "released", "expired", "cancelled"] | None = None,
    customer: str | None = None,
    event: str | None = None,
    sku: str | None = None,
    expires_before: str | None = None,
    created_before: str | None = None,
    stale: bool | None = None,
    external_reference: str | None = None,
    at_most: int | None = None,
) -> Call[ReservationCount]:
    """How many reservations there are, counted up to `at_most`, and the service's time."""
    query = {
        "state": state,
        "customer": customer,
        "event": event,
        "sku": sku,
        "expires_before": expires_before,
        "created_before": created_before,
        "stale": stale,
        "external_reference": external_reference,
        "at_most": at_most,
    }
    return read("/v1/reservation-counts", ReservationCount, query=query)


def timeline(reference: str, *, page_size: int | None = None) -> Listing[Timeline, TimelineEntry]:
    """What happened to one reservation, oldest first, with messages and idempotency keys; each page has it as it is."""

    def at(cursor: str | None) -> Call[Timeline]:
        query = {"limit": page_size, "cursor": cursor}
        return read("/v1/reservations/{reference}/timeline", Timeline, query=query, reference=reference)

    return Listing(at, lambda page: page.entries, lambda page: page.next_cursor)


def key_records(key: str, *, principals: Sequence[str] = ()) -> Call[RecordsView]:
    """All that the account knows of an idempotency key, whoever sent it: its API keys, and these."""
    query = {"key": key, "principal": list(principals) or None}
    return read("/v1/idempotency-records", RecordsView, query=query)


def hot_rows() -> Call[HotRowsView]:
    """The account's rows that several processes fight for now, the hottest first."""
    return read("/v1/hot-rows", HotRowsView)
