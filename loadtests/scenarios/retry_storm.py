"""Every request is sent five times at once, under one key, over five connections and to every process.

The proxies cut a third of the connections before the answer. All five senders go on until they have it, and all five
must hold the same bytes in the end.
"""

import random
from functools import partial
from itertools import cycle, islice

import gevent
from locust import task

from loadtests.insist import Reply, Wish, act, create
from loadtests.sales import EVENT, SKU, STORM_SEATS
from loadtests.visitor import ACTION_ANSWERS, HOLD_ANSWERS, URLS, Visitor, new_operation, see_through

TIMES = 5


class Stormer(Visitor):
    """Holds, then confirms, releases or forgets; each five times."""

    keeps_connections = False
    loses_answers = True

    @task
    def storm(self) -> None:
        lines = [{"sku": SKU, "quantity": 1}]
        if random.random() < 0.5:
            lines = [{"event": EVENT, "seats": [random.choice(STORM_SEATS)]}]
        held = self.send_at_once(create(new_operation(), lines), "hold", HOLD_ANSWERS)
        action = random.choice(("confirm", "release", ""))
        if held.is_success and action:
            wish = act(new_operation(), held.json()["reference"], action)
            self.send_at_once(wish, action, ACTION_ANSWERS)

    def send_at_once(self, wish: Wish, label: str, answers: frozenset[int]) -> Reply:
        """The answer, after all five have it."""
        return see_through(partial(self._send_at_once, wish, label, answers))

    def _send_at_once(self, wish: Wish, label: str, answers: frozenset[int]) -> Reply:
        self.insisting.ask(wish)
        first = random.randrange(len(URLS))
        senders = [
            gevent.spawn(self.insisting.insist, wish, self.sender(label, answers, url))
            for url in islice(cycle(URLS), first, first + TIMES)
        ]
        gevent.joinall(senders, raise_error=True)
        reply: Reply = senders[0].value
        return reply
