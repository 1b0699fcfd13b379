"""An ordinary day: look at what is free, hold, hesitate, extend, pay, change one's mind, or never come back."""

import random

import gevent
from locust import between, task

from loadtests.insist import Reply
from loadtests.sales import EVENT, SECTIONS, SKU
from loadtests.visitor import Visitor

ABANDONED_S = 2


class Visit(Visitor):
    """One customer after the other."""

    wait_time = between(0.01, 0.2)

    @task(6)
    def look_at_what_is_free(self) -> None:
        self.look(f"/v1/events/{EVENT}/availability", "availability")

    @task(2)
    def look_at_a_section(self) -> None:
        self.look(f"/v1/events/{EVENT}/seats?section={random.choice(SECTIONS).replace(' ', '%20')}", "seats")

    @task(10)
    def buy(self) -> None:
        held = self.take()
        if not held.is_success:
            return
        reference = held.json()["reference"]
        gevent.sleep(random.uniform(0, 0.2))
        if random.random() < 0.3:
            self.act(reference, "extend", hold_seconds=900)
        self.look_up(reference)
        if random.random() < 0.75:
            self.act(reference, "confirm")
            if random.random() < 0.2:
                self.act(reference, "cancel")
        else:
            self.act(reference, "release")

    @task(2)
    def give_back_some(self) -> None:
        held = self.take()
        if held.is_success:
            reference = held.json()["reference"]
            self.act(reference, "release", lines=[1])
            self.act(reference, "confirm")

    @task(3)
    def abandon(self) -> None:
        """Its time runs out, and the worker gives it back."""
        self.take(hold_seconds=ABANDONED_S)

    def take(self, **body: int) -> Reply:
        lines: list[dict[str, object]] = [
            {
                "event": EVENT,
                "best_available": {"quantity": random.randint(1, 4), "section": random.choice(SECTIONS)},
            }
        ]
        if random.random() < 0.3:
            lines.append({"sku": SKU, "quantity": random.randint(1, 3)})
        return self.hold(lines, **body)

    def look_up(self, reference: str) -> None:
        """What was told must be there to be seen at once, at any server."""
        shown = self.look(f"/v1/reservations/{reference}", "reservation").json()
        assert shown["reference"] == reference
        assert shown["state"] in {"held", "confirmed"}, shown
