"""Verbs that contradict each other on one reservation, and the clock: one chain of versions, no unit lost (R4-R6)."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import httpx

from tests.accounts import Account
from tests.api.contract import refused
from tests.api.reading import at_once, expired, held, history, moment, read, seat_states, stock_counts
from tests.make import act, hold, put_event, put_stock, wait_until
from tests.races.crowd import crowd, statuses

UNIT = [{"sku": "NW-001", "quantity": 1}]
VERBS = ("confirm", "release", "extend", "cancel")
CHAINS = {
    ("held", "confirm"): "confirmed",
    ("held", "release"): "released",
    ("held", "extend"): "held",
    ("held", "expire"): "expired",
    ("expired", "confirm"): "confirmed",
    ("confirmed", "cancel"): "cancelled",
}


def assert_one_chain(account: Account, reference: str) -> list[str]:
    """The reservation's actions in order, after looking that its history is one chain without a gap."""
    changes = history(account, reference)
    assert [change["version"] for change in changes] == list(range(1, len(changes) + 1))
    state = "held"
    for change in changes[1:]:
        assert change["from"] == state
        assert change["to"] == CHAINS[state, change["action"]], changes
        state = change["to"]
    shown = read(account, reference)
    assert (shown["state"], shown["version"]) == (state, len(changes))
    return [change["action"] for change in changes]


def test_confirm_release_extend_and_cancel_at_once_make_one_chain(callers: list[Account]) -> None:
    put_stock(callers[0], on_hand=10)
    for seed in range(4):
        reference = held(callers[0], UNIT, hold_seconds=60)["reference"]
        verbs = list(VERBS) * 8
        random.Random(seed).shuffle(verbs)
        answers = crowd(
            callers, len(verbs), lambda caller, number, verbs=verbs, of=reference: act(caller, of, verbs[number])
        )
        assert set(statuses(answers)) <= {200, 409}
        actions = assert_one_chain(callers[0], reference)
        assert actions.count("confirm") + actions.count("release") == 1, actions
        for verb, answer in zip(verbs, answers, strict=True):
            if answer.status_code == 200:
                # What the client was told is a version of the history (R7).
                assert answer.json()["version"] <= len(actions), (verb, answer.text)
            else:
                refused(answer, "state-conflict")
        if read(callers[0], reference)["state"] == "confirmed":
            assert act(callers[0], reference, "cancel").status_code == 200
    assert stock_counts(callers[0]) == (0, 0, 10)


def test_one_of_many_actions_on_one_version_wins(callers: list[Account]) -> None:
    put_stock(callers[0], on_hand=10)
    reference = held(callers[0], UNIT)["reference"]
    answers = crowd(callers, 40, lambda caller, number: act(caller, reference, VERBS[number // 2 % 3], if_match='"1"'))
    counted = statuses(answers)
    assert counted == {200: 1, 412: 39}
    assert len(assert_one_chain(callers[0], reference)) == 2


def at_the_end_of(reservation: dict[str, object], offset_ms: int) -> None:
    """Return so many milliseconds after the hold's end."""
    end = moment(str(reservation["hold_expires_at"])) + timedelta(milliseconds=offset_ms)
    wait_until(lambda: datetime.now(UTC) >= end)


def test_row_13_confirm_sweep_and_cancel_at_the_very_end_have_one_winner(callers: list[Account]) -> None:
    """A third of the confirms may be late; cancels come over and over until there is nothing more to cancel."""
    many = 18
    put_event(callers[0])
    put_stock(callers[0], on_hand=many)
    labels = list(seat_states(callers[0]))[:many]
    made = [
        held(callers[0], [*UNIT, {"event": "final", "seats": [label]}], hold_seconds=1 + place % 2)
        for place, label in enumerate(labels)
    ]
    chance = random.Random(11)
    offsets = [chance.randint(-60, 40) for _ in made]

    def confirm(place: int) -> httpx.Response:
        at_the_end_of(made[place], offsets[place])
        late = {"late": "if_available"} if place % 3 == 0 else None
        return act(callers[place % len(callers)], made[place]["reference"], "confirm", late)

    def cancel(place: int) -> httpx.Response:
        at_the_end_of(made[place], offsets[place])
        answers: list[httpx.Response] = []

        def ended() -> bool:
            answers.append(act(callers[(place + 1) % len(callers)], made[place]["reference"], "cancel"))
            return answers[-1].status_code == 200 or answers[-1].json()["state"] == "expired"

        wait_until(ended)
        return answers[-1]

    calls = [lambda place=place: confirm(place) for place in range(many)]
    calls += [lambda place=place: cancel(place) for place in range(many)]
    answers = at_once(calls)
    assert set(statuses(answers)) <= {200, 409, 410}
    for place, reservation in enumerate(made):
        confirmed, cancelled = answers[place].status_code == 200, answers[many + place].status_code == 200
        actions = assert_one_chain(callers[0], reservation["reference"])
        assert actions.count("confirm") == confirmed, (actions, answers[place].text)
        assert actions.count("cancel") == cancelled <= confirmed, actions
        if not confirmed:
            refused(answers[place], "hold-expired")
            expired(callers[0], reservation["reference"])
    lasting = [place for place in range(many) if read(callers[0], made[place]["reference"])["state"] == "confirmed"]
    assert stock_counts(callers[0]) == (0, len(lasting), many - len(lasting))
    taken = {label for label, state in seat_states(callers[0]).items() if state != "available"}
    assert taken == {labels[place] for place in lasting}


def test_row_13_two_sweeps_and_new_holds_on_lapsed_units_have_one_winner_a_unit(callers: list[Account]) -> None:
    many = 16
    put_event(callers[0])
    labels = list(seat_states(callers[0]))[:many]
    old = [held(callers[0], [{"event": "final", "seats": [label]}], hold_seconds=2) for label in labels]
    winners: list[list[str]] = [[] for _ in labels]

    def take(caller: Account, number: int) -> None:
        """Ask for the seat over and over, until this caller or its rival has it."""
        place = number % many

        def is_gone() -> bool:
            answer = hold(caller, [{"event": "final", "seats": [labels[place]]}])
            if answer.status_code == 201:
                winners[place].append(answer.json()["reference"])
            else:
                refused(answer, "inventory-unavailable")
            return bool(winners[place])

        wait_until(is_gone)

    crowd([callers[0], *callers], many * 2, take)
    assert [len(won) for won in winners] == [1] * many, winners
    for reservation, (winner,) in zip(old, winners, strict=True):
        changes = history(callers[0], reservation["reference"])
        assert [(change["to"], change["actor"]) for change in changes] == [("held", "default"), ("expired", "worker")]
        assert read(callers[0], winner)["version"] == 1
        assert moment(read(callers[0], winner)["created_at"]) >= moment(reservation["hold_expires_at"])
    assert Counter(seat_states(callers[0]).values()) == {"held": many, "available": len(seat_states(callers[0])) - many}
