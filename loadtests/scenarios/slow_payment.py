"""Payments that take about as long as the hold: some arrive before it ends, some around that moment, some after.

Half of them ask for the units again if they are still free (`late`). There are fewer units than wishes, so what lapses
is soon somebody else's: then the payment is refused, and 410 and 409 are true answers.
"""

import random

import gevent
from locust import between, task

from loadtests.insist import act
from loadtests.sales import EVENT, PAYMENT_SEATS, SKU
from loadtests.visitor import ACTION_ANSWERS, Visitor, new_operation

HOLD_SECONDS = (1, 2)
CANCELLED_SHARE = 0.7


class Payer(Visitor):
    """Holds, pays some time, and leaves room for the next one."""

    wait_time = between(0, 0.1)

    @task
    def pay(self) -> None:
        hold_seconds = random.choice(HOLD_SECONDS)
        line: dict[str, object] = {"sku": SKU, "quantity": 1}
        if random.random() < 0.5:
            line = {"event": EVENT, "seats": random.sample(PAYMENT_SEATS, 2)}
        held = self.hold([line], hold_seconds=hold_seconds)
        if not held.is_success:
            gevent.sleep(0.1)
            return
        reference = held.json()["reference"]
        takes_s = self.time_of_payment(hold_seconds)
        gevent.sleep(takes_s)
        wish = act(new_operation(), reference, "confirm", late=random.choice(("never", "if_available")))
        paid = self.insist(wish, "confirm after the end" if takes_s > hold_seconds else "confirm", ACTION_ANSWERS)
        if paid.is_success:
            gevent.sleep(random.uniform(0, 0.2))
            if random.random() < CANCELLED_SHARE:
                self.act(reference, "cancel", {200})

    def time_of_payment(self, hold_seconds: int) -> float:
        """Before the end, at the end to some milliseconds, or after it."""
        return random.choice(
            (
                random.uniform(0, 0.9) * hold_seconds,
                hold_seconds + random.gauss(0, 0.02),
                hold_seconds + random.uniform(0.05, 1),
            )
        )
