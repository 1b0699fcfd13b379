"""All want the same in one second: half of the users one of a hundred seats, the others one of fifty units of one SKU.

Nobody starts before all are there. A server whose queue is full sends users away, and they come back with the same key.
Whoever wins pays. In the end everything is sold, and nothing twice.
"""

import random
from collections import Counter

import gevent
from gevent.event import Event
from locust import events, task
from locust.env import Environment
from locust.exception import StopUser

from loadtests.sales import EVENT, SKU, flash_sale, flash_sale_seats
from loadtests.visitor import USERS, Visitor

WINDOW_S = 1.0

gate = Event()
sold: Counter[str] = Counter()


@events.spawning_complete.add_listener
def open_gate(user_count: int, **_: object) -> None:
    """All are there."""
    if user_count >= USERS:
        gate.set()


class Fan(Visitor):
    """Comes once, wants one thing, and goes."""

    arrived = 0
    gone = 0

    def on_start(self) -> None:
        self.number = Fan.arrived
        Fan.arrived += 1
        self.wants_a_seat = self.number % 2 == 0

    @task
    def buy(self) -> None:
        gate.wait()
        gevent.sleep(random.uniform(0, WINDOW_S))
        held = self.hold([self.line()])
        if held.is_success:
            sold["seats" if self.wants_a_seat else "units"] += 1
            self.act(held.json()["reference"], "confirm", {200})
        Fan.gone += 1
        if Fan.gone == USERS:
            gevent.spawn(end_load, self.environment)
        raise StopUser

    def line(self) -> dict[str, object]:
        """Half of those after a seat take what is best, the others have one in mind."""
        if not self.wants_a_seat:
            return {"sku": SKU, "quantity": 1}
        if self.number % 4 == 0:
            return {"event": EVENT, "best_available": {"quantity": 1}}
        return {"event": EVENT, "seats": [random.choice(flash_sale_seats(USERS))]}


def end_load(environment: Environment) -> None:
    """All were here. Whoever watches in the web UI ends it there."""
    runner = environment.runner
    assert runner is not None
    if environment.web_ui is None:
        runner.quit()
    else:
        runner.stop()


@events.quitting.add_listener
def judge_sale(environment: Environment, **_: object) -> None:
    """Fewer sold than there were means that somebody was sent home for nothing."""
    seats, units = flash_sale(USERS)
    if Fan.gone == USERS and (sold["seats"], sold["units"]) != (seats, units):
        print(f"sold {dict(sold)} of {seats} seats and {units} units, after {USERS} users")
        environment.process_exit_code = 1
