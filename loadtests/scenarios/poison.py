"""Among many good requests a few are invalid, a few are refused, and a few crash the decision. The rest notice nothing.

The server is a build of the tests whose decision crashes for marked customers (`tests/load/crashes.py`). Their 500 is
ordered, so the ledger says so; any other answer of 500 or above is a failure, and so is a 503.
"""

import random

from locust import task

from loadtests.insist import Wish, create
from loadtests.sales import EVENT, SKU, SOLD_OUT
from loadtests.visitor import Visitor, new_operation

GOOD = {"sku": SKU, "quantity": 1}
INVALID = ({"sku": SKU, "quantity": 0}, {"sku": SKU, "quantity": 1, "colour": "red"}, {"quantity": 1})


class Sharer(Visitor):
    """Shares its batches with all the others."""

    may_wait = False

    @task(12)
    def hold_and_act(self) -> None:
        held = self.hold([GOOD], {201})
        self.act(held.json()["reference"], random.choice(("confirm", "release", "extend")), {200})

    @task(6)
    def hold_best_seat(self) -> None:
        self.hold([{"event": EVENT, "best_available": {"quantity": 2}}], {201, 409})

    @task(1)
    def invalid(self) -> None:
        wish = create(new_operation(), [random.choice(INVALID)])
        self.insist(wish, "invalid", {400})

    @task(1)
    def nowhere(self) -> None:
        wish = create(new_operation(), [{"sku": "nowhere", "quantity": 1}])
        self.insist(wish, "nowhere", {404})

    @task(2)
    def refused(self) -> None:
        self.hold([{"sku": SOLD_OUT, "quantity": 1}, GOOD], {409})

    @task(2)
    def crash(self) -> None:
        name = new_operation("crash")
        good = create(name, [GOOD])
        wish = Wish(name, good.key, good.method, good.path, good.body, expects_failure=True)
        self.insist(wish, "crash", {500})
