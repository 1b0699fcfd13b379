"""A phone: slow, lossy, half of the answers lost, and now and then the app is killed and started again.

The app keeps the request and its key in a file before it sends, as a good client does. Whatever is in that file when it
starts is sent again, under the same key, until there is an answer.
"""

import os
import random
from functools import partial
from pathlib import Path

import gevent
import msgspec
from locust import between, task

from loadtests.insist import Reply, Wish, act, create
from loadtests.sales import EVENT, SKU, STORM_SEATS
from loadtests.visitor import ACTION_ANSWERS, HOLD_ANSWERS, LEDGER, Visitor, new_operation, see_through

KILLED_SHARE = 0.3
LIVES_LEAST_S, LIVES_MOST_S = 0.02, 0.6


class Phone(Visitor):
    """Whose app may die at any moment, and whose storage does not."""

    wait_time = between(0, 0.05)
    keeps_connections = False
    loses_answers = True

    def on_start(self) -> None:
        self.stored = LEDGER.path.parent / "phones" / new_operation("phone")
        self.stored.parent.mkdir(exist_ok=True)

    @task
    def use(self) -> None:
        lines = [{"sku": SKU, "quantity": 1}, {"event": EVENT, "seats": [random.choice(STORM_SEATS)]}]
        held = self.through(create(new_operation(), lines[: random.randint(1, 2)]), HOLD_ANSWERS)
        if held.is_success:
            action = random.choice(("confirm", "extend", "release"))
            self.through(act(new_operation(), held.json()["reference"], action), ACTION_ANSWERS)

    def through(self, wish: Wish, answers: frozenset[int]) -> Reply:
        """The answer, however often the app dies before it has it."""
        return see_through(partial(self._through, wish, answers))

    def _through(self, wish: Wish, answers: frozenset[int]) -> Reply:
        """Starts the app with this wish, and again whenever it was killed."""
        store(self.stored, wish)
        while True:
            app = gevent.spawn(self.run_app, answers)
            if random.random() < KILLED_SHARE:
                app.join(timeout=random.uniform(LIVES_LEAST_S, LIVES_MOST_S))
                app.kill()  # its sockets are closed under it, wherever it is
            reply = app.get()
            if isinstance(reply, Reply):
                return reply
            # A new process has no connections of the old one.
            self.client.client.close()

    def run_app(self, answers: frozenset[int]) -> Reply:
        """What the app does when it starts: finishes what its storage says is unfinished."""
        wish = msgspec.json.decode(self.stored.read_bytes(), type=Wish)
        reply = self.insisting.ask_and_insist(wish, self.sender(label_of(wish), answers))
        self.stored.unlink()
        return reply


def store(path: Path, wish: Wish) -> None:
    """Durable and whole before anything is sent: written beside, then moved."""
    draft = path.with_suffix(".draft")
    with draft.open("wb") as file:
        file.write(msgspec.json.encode(wish))
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)


def label_of(wish: Wish) -> str:
    return "hold" if wish.path.count("/") == 2 else wish.path.rpartition("/")[2]
