"""What happens to the network and to the phone, in which order; each cut is ordered at an exact place in the stream.

The places are bytes that only requests with a key and their answers have, so that no fault hits anything else.
"""

import asyncio
from typing import Final

from service.client import AsyncHoldfast
from service.demo.mobile.handset import Handset
from service.demo.mobile.timeline import NETWORK, PHONE, SERVICE, Timeline
from service.demo.place import DemoFailed
from service.demo.tcp_proxy import Direction, Fault, Order, TcpProxy

IN_A_REQUEST: Final = b'"best_available"'
IN_AN_ANSWER: Final = b"idempotent-replayed"
SLOW_S: Final = 1.5
"""Longer than the phone's patience with one attempt."""

ALWAYS: Final = 1000
TWICE: Final = 2
CUT_PATIENCE_S: Final = 20.0


class Story:
    """The acts. `watcher` asks the service directly, past the bad network."""

    def __init__(self, timeline: Timeline, phone: Handset, network: TcpProxy, watcher: AsyncHoldfast) -> None:
        self._timeline = timeline
        self._phone = phone
        self._network = network
        self._watcher = watcher

    async def play(self) -> None:
        """Raises DemoFailed, and what the client raises where the service cannot be asked."""
        await self._order_in_a_tunnel()
        await self._lose_the_answer()
        await self._hear_it_at_last()
        await self._pay_over_a_slow_network()

    async def _order_in_a_tunnel(self) -> None:
        self._timeline.scene("1  An order without a network")
        self._network.refuse()
        self._timeline.tell(NETWORK, "there is none: every connection is refused")
        await self._phone.switch_on()
        await self._phone.tap("order")
        await self._phone.heard("gave up")
        await self._die("the battery is empty (kill -9); the order is only in its file")

    async def _lose_the_answer(self) -> None:
        self._timeline.scene("2  The order arrives, its answer does not")
        requests = self._network.cut_at(IN_A_REQUEST, Fault.CUT_BEFORE, times=TWICE)
        answers = self._network.cut_at(IN_AN_ANSWER, Fault.CUT_BEFORE, Direction.TO_CLIENT, times=ALWAYS)
        await asyncio.to_thread(self._network.listen)
        self._timeline.tell(NETWORK, "is back, and breaks connections in the middle of the request")
        await self._phone.switch_on()
        await self._until(requests, TWICE)
        self._timeline.tell(NETWORK, "has cut the request twice before it was whole; now it lets requests through")
        await self._until(answers, 1)
        self._timeline.tell(NETWORK, "has cut the answer in its headers, and will cut each that follows")
        await self._look("the phone does not know")
        await self._until(answers, TWICE)
        await self._die("is killed by its system (kill -9), with the order sent and no answer")

    async def _hear_it_at_last(self) -> None:
        self._timeline.scene("3  The same request once more")
        self._network.heal()
        self._timeline.tell(NETWORK, "works")
        before = len(self._phone.said)
        await self._phone.switch_on()
        await self._phone.heard("answered", "hold", since=before)

    async def _pay_over_a_slow_network(self) -> None:
        self._timeline.scene("4  The payment, and a network that is too slow")
        self._network.delay(Direction.TO_CLIENT, SLOW_S)
        self._timeline.tell(NETWORK, f"is slow: each answer takes {SLOW_S:g} s, and the phone waits for 1 s")
        before = len(self._phone.said)
        await self._phone.tap("pay")
        await self._phone.heard("tried", "confirm", since=before)
        await self._look("the phone does not know")
        await self._die("is dropped, and its battery falls out (kill -9)")
        self._network.heal()
        self._timeline.tell(NETWORK, "works")
        before = len(self._phone.said)
        await self._phone.switch_on()
        await self._phone.heard("answered", "confirm", since=before)

    async def _die(self, how: str) -> None:
        await self._phone.kill()
        self._timeline.tell(PHONE, how)

    async def _until(self, order: Order, times: int) -> None:
        try:
            await asyncio.to_thread(order.wait_until_done, CUT_PATIENCE_S, times)
        except TimeoutError as error:
            raise DemoFailed(f"the phone's requests never came to the place of the cut: {error}") from error

    async def _look(self, aside: str) -> None:
        """What the service has, asked directly."""
        found = [reservation async for reservation in self._watcher.reservations()]
        has = ", ".join(f"{each.reference} ({each.state})" for each in found) or "nothing"
        self._timeline.tell(SERVICE, f"has {has}; {aside}")
