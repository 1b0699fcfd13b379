"""Who waits, served by releases in several processes at once: none forgotten, none twice, in order, not overtaken."""

from collections import Counter

from service.reservations.commands import WAITING_SEEN
from tests.accounts import Account
from tests.api.reading import becomes_held, held, history, pending, read, seat_states, stock_counts
from tests.make import act, hold, put_event, put_stock, wait_until
from tests.races.crowd import crowd, statuses

UNIT = [{"sku": "NW-001", "quantity": 1}]


def states(account: Account, references: list[str]) -> list[str]:
    return [read(account, reference)["state"] for reference in references]


def test_releases_in_several_processes_serve_who_waits_in_order_of_creation(callers: list[Account]) -> None:
    freed, waiting = 10, 20
    put_stock(callers[0], on_hand=freed)
    first = [held(callers[0], UNIT)["reference"] for _ in range(freed)]
    queue = [pending(callers[place % len(callers)], UNIT)["reference"] for place in range(waiting)]

    def call(caller: Account, number: int) -> object:
        if number < freed:
            return act(caller, first[number], "release")
        return hold(caller, UNIT)  # a newcomer, who must not overtake

    answers = crowd(callers, freed * 2, call)
    assert statuses(answers) == {200: freed, 409: freed}
    assert states(callers[0], queue) == ["held"] * freed + ["pending"] * (waiting - freed)
    answers = crowd(callers, freed, lambda caller, number: act(caller, queue[number], "release"))
    assert statuses(answers) == {200: freed}
    assert states(callers[0], queue) == ["released"] * freed + ["held"] * (waiting - freed)
    for reference in queue:
        assert [change["to"] for change in history(callers[0], reference)][:2] == ["pending", "held"]
    assert stock_counts(callers[0]) == (freed, 0, 0)


def test_who_begins_to_wait_while_units_are_given_back_is_not_forgotten(callers: list[Account]) -> None:
    many = 16
    put_event(callers[0])
    labels = list(seat_states(callers[0]))[:many]
    first = [held(callers[0], [{"event": "final", "seats": [label]}])["reference"] for label in labels]

    def call(caller: Account, number: int) -> object:
        # Releaser and waiter of one seat are neighbours, in two processes.
        place = number // 2
        if number % 2:
            return act(caller, first[place], "release")
        return hold(caller, [{"event": "final", "seats": [labels[place]]}], wait=True)

    answers = crowd(callers, many * 2, call)
    assert set(statuses(answers)) <= {200, 201, 202}
    for answer in answers[::2]:
        shown = becomes_held(callers[0], answer.json()["reference"])
        assert shown["version"] == (1 if answer.status_code == 201 else 2)
    assert set(states(callers[0], first)) == {"released"}


def test_many_pools_freed_at_once_serve_a_basket_that_wants_all_of_them(callers: list[Account]) -> None:
    skus = [f"part-{number}" for number in range(8)]
    for sku in skus:
        put_stock(callers[0], sku=sku, on_hand=1)
    first = [held(callers[0], [{"sku": sku, "quantity": 1}])["reference"] for sku in skus]
    whole = pending(callers[0], [{"sku": sku, "quantity": 1} for sku in skus])["reference"]
    assert set(statuses(crowd(callers, 8, lambda caller, number: act(caller, first[number], "release")))) == {200}
    assert becomes_held(callers[0], whole)["version"] == 2
    assert [stock_counts(callers[0], sku) for sku in skus] == [(1, 0, 0)] * 8


def test_who_waits_behind_a_long_queue_that_does_not_fit_is_found_by_the_worker(callers: list[Account]) -> None:
    """They all wait for a seat that stays taken; the one behind them, in the same category, for one that does not."""
    put_event(callers[0])
    wanted, freed = list(seat_states(callers[0]))[:2]
    held(callers[0], [{"event": "final", "seats": [wanted]}])
    first = held(callers[0], [{"event": "final", "seats": [freed]}])["reference"]

    def join(caller: Account, _: int) -> list[object]:
        return [hold(caller, [{"event": "final", "seats": [wanted]}], wait=True) for _ in range(6)]

    queue = [answer for answers in crowd(callers, 40, join) for answer in answers]
    assert statuses(queue) == {202: 240}
    assert len(queue) > WAITING_SEEN
    behind = pending(callers[-1], [{"event": "final", "seats": [freed]}])["reference"]
    assert act(callers[0], first, "release").status_code == 200
    assert becomes_held(callers[0], behind)["version"] == 2
    assert set(states(callers[0], [answer.json()["reference"] for answer in queue[:3]])) == {"pending"}
    assert Counter(seat_states(callers[0]).values())["held"] == 2


def test_lapsed_holds_serve_who_waits_once(callers: list[Account]) -> None:
    many = 10
    put_stock(callers[0], on_hand=many)
    crowd(callers, many, lambda caller, _: held(caller, UNIT, hold_seconds=1))
    queue = [pending(callers[place % len(callers)], UNIT, hold_seconds=60)["reference"] for place in range(many)]
    wait_until(lambda: set(states(callers[0], queue)) == {"held"})
    assert [len(history(callers[0], reference)) for reference in queue] == [2] * many
    assert stock_counts(callers[0]) == (many, 0, 0)
