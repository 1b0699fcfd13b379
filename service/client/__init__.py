"""The Python client: retries that do nothing twice, problems as typed exceptions, a queue that survives a reboot.

    from service.client import Holdfast, seats, stock

    with Holdfast("https://tickets.example", "hf_…") as holdfast:
        reservation = holdfast.hold(seats("final", "101-A-12", "101-A-13"), stock("NW-001", 2))
        holdfast.confirm(reservation.reference)

`AsyncHoldfast` is the same with `await` and `async for`. What goes out and comes back are the API's own structs.

    calls.py      what each operation sends: a Call, with its idempotency key drawn once
    policy.py     after which answers the same Call is sent again, and when; no input or output
    replies.py    an answer as it came, and what it says
    problems.py   the exceptions
    sending.py    Holdfast and AsyncHoldfast: the two that wait and send; deadline.py bounds the first one's reads
    outbox.py     the durable queue for phones and kiosks; outbox_file.py is its SQLite file
"""

from service.client import calls, problems
from service.client.calls import best_available, new_key, seats, stock
from service.client.outbox import Outbox, OutboxError
from service.client.policy import Attempt, Policy
from service.client.problems import HoldfastError, Problem, Unreached
from service.client.sending import AsyncHoldfast, Holdfast
from service.reservations.views import ReservationView

__all__ = [
    "AsyncHoldfast",
    "Attempt",
    "Holdfast",
    "HoldfastError",
    "Outbox",
    "OutboxError",
    "Policy",
    "Problem",
    "ReservationView",
    "Unreached",
    "best_available",
    "calls",
    "new_key",
    "problems",
    "seats",
    "stock",
]
