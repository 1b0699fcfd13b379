"""`POST /v1/reservation-releases`: an operator gives back many holds with one request.

Each release is a command of its own, fenced by the version that the operator has seen: what was confirmed, extended or
ended meanwhile is left alone, and two operators never release the same hold twice. So it needs no idempotency key.
"""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from service.http.endpoint import Call, endpoint
from service.http.message import Answer
from service.ids import parse_reference, show_reference
from service.inventory.bodies import Errors
from service.names import Reason
from service.reservations.commands import ReleaseReservation
from service.reservations.queries import select_reservation
from service.reservations.states import State

RELEASES_MAX: Final = 500
RELEASED: Final = 200

Version = Annotated[int, Meta(ge=1, le=2**53, description="The version that was seen")]


class SeenReservation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A reservation as the operator saw it."""

    reference: Annotated[str, Meta(max_length=40, description="The reservation's reference")]
    version: Version


class PostReleases(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Reservations to release, each only if it is still at the version that was seen."""

    reservations: Annotated[list[SeenReservation], Meta(min_length=1, max_length=RELEASES_MAX)]
    reason: Reason | None = None

    def problems(self) -> Errors:
        errors: Errors = []
        seen: set[str] = set()
        for place, each in enumerate(self.reservations):
            path = f"$.reservations[{place}].reference"
            try:
                reference = parse_reference(each.reference)
            except ValueError as error:
                errors.append((path, str(error)))
                continue
            if reference in seen:
                errors.append((path, "is in the request twice"))
            seen.add(reference)
        return errors


class ReleaseOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """`released`: by this request. If not, `state` and `version` say what it is now; null where there is none."""

    reference: str
    released: bool
    state: State | None
    version: int | None


class ReleaseOutcomes(msgspec.Struct, frozen=True):
    """What became of each, in the order of the request."""

    outcomes: list[ReleaseOutcome]


EXAMPLE: Final[dict[str, Any]] = {
    "outcomes": [
        {"reference": "K7QX2-9PMD8", "released": True, "state": "released", "version": 2},
    ]
}


@endpoint(
    "POST",
    "/v1/reservation-releases",
    scope="ops",
    body=PostReleases,
    answers={200: ReleaseOutcomes},
    request_example={
        "reservations": [{"reference": "K7QX2-9PMD8", "version": 1}],
        "reason": "left over from the load test",
    },
    answer_example=EXAMPLE,
)
async def release_reservations(call: Call) -> Answer:
    """Release up to 500 reservations, each only if it is still at the version that was seen.

    For operators. What was confirmed, extended or ended meanwhile is left alone, and the answer says what it is now.
    Safe to send again: what the first request released is then named as released, but not by this one.
    """
    body: PostReleases = call.body
    references = [parse_reference(each.reference) for each in body.reservations]
    answers = await call.services.engine.submit_all(
        ReleaseReservation(
            account_id=call.caller.account_id,
            actor=call.caller.principal,
            request_id=call.request_id,
            reason=body.reason,
            reference=reference,
            if_match=each.version,
        )
        for reference, each in zip(references, body.reservations, strict=True)
    )
    outcomes = [
        ReleaseOutcome(reference=show_reference(reference), released=True, state="released", version=each.version + 1)
        if answer.status == RELEASED
        else await _left_alone(call, reference)
        for reference, each, answer in zip(references, body.reservations, answers, strict=True)
    ]
    return Answer(200, msgspec.json.encode(ReleaseOutcomes(outcomes)))


async def _left_alone(call: Call, reference: str) -> ReleaseOutcome:
    async with call.services.store.read() as reader:
        found = await select_reservation(reader, call.caller.account_id, reference)
    return ReleaseOutcome(
        reference=show_reference(reference),
        released=False,
        state=None if found is None else found.state,
        version=None if found is None else found.version,
    )


ENDPOINTS: Final = (release_reservations,)
