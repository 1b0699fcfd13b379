"""What operators ask, as Calls for `send`: beside the operations of calls.py, and for API keys with the scope `ops`."""

from collections.abc import Sequence
from typing import Literal

from service.client.calls import Call, change, read
from service.reservations.releases_routes import PostReleases, ReleaseOutcomes, SeenReservation
from service.reservations.views import ReservationCount, ReservationView

RELEASES = "/v1/reservation-releases"


def release_seen(reservations: Sequence[ReservationView], reason: str | None = None) -> Call[ReleaseOutcomes]:
    """Release up to 500 reservations, each only if it is still as it was seen."""
    seen = [SeenReservation(each.reference, each.version) for each in reservations]
    return change("POST", RELEASES, ReleaseOutcomes, PostReleases(seen, reason))


def count_reservations(
    *,
    state: Literal["pending", "held", "confirmed", "released", "expired", "cancelled"] | None = None,
    customer: str | None = None,
    event: str | None = None,
    sku: str | None = None,
    expires_before: str | None = None,
    created_before: str | None = None,
    stale: bool | None = None,
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
        "stale": None if stale is None else str(stale).lower(),
        "at_most": at_most,
    }
    return read("/v1/reservation-counts", ReservationCount, query=query)
