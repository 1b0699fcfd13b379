"""Faults of the network, by the proxies: between clients and service (rows 1, 4, 5), service and database (6, 7, 8).

Each function makes its fault happen, takes it back, and says in words what it did. AssertionError: it did not happen.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from service.demo.tcp_proxy import COMMIT, Direction, Fault, TcpProxy
from tests.api.foreign_locks import writers_locked
from tests.faults.soak.scene import Scene
from tests.faults.soak.stack import DEADLINE_S, Api

AMBIGUOUS = "holdfast_commits_ambiguous_total"
LONGEST_REQUEST, LONGEST_ANSWER = 700, 900
OK_PACKET = 11
"""Bytes of the answer to a COMMIT."""
SLOW_S = 0.3
TRIES_MOST = 20


def back_of(api: Api) -> TcpProxy:
    assert api.back is not None, "SQLite has no network"
    return api.back


@contextmanager
def healed(*proxies: TcpProxy) -> Iterator[None]:
    """Whatever was ordered of them in the block is taken back at its end."""
    try:
        yield
    finally:
        for proxy in proxies:
            proxy.heal()


def cut_request(scene: Scene) -> str:
    api, skip = scene.any_api(), scene.random.randrange(LONGEST_REQUEST)
    return _cut_at_byte(scene, api, Direction.TO_SERVER, skip)


def cut_answer(scene: Scene) -> str:
    api, skip = scene.any_api(), scene.random.randrange(LONGEST_ANSWER)
    return _cut_at_byte(scene, api, Direction.TO_CLIENT, skip)


def _cut_at_byte(scene: Scene, api: Api, direction: Direction, skip: int) -> str:
    before = scene.crowd.counts["lost"]
    times = scene.random.randint(1, 3)
    with healed(api.front):
        order = api.front.cut_at_byte(direction, skip, times=times)
        scene.until(lambda: order.done >= times, f"{order}")
    scene.until(lambda: scene.crowd.counts["lost"] > before, "a customer noticed")
    return f"{times} at {api.name}, {direction.value}, at byte {skip}"


def clients_vanish(scene: Scene) -> str:
    """The connections of all clients die while their commands wait or run."""
    api = scene.any_api()
    before = scene.crowd.counts["lost"]
    with _held_up(scene, api):
        scene.until(lambda: scene.counted(api, "holdfast_queue_depth") >= 1, "a command waits")
        waiting = scene.counted(api, "holdfast_queue_depth")
        api.front.cut_now()
        scene.until(lambda: scene.crowd.counts["lost"] > before, "a customer noticed")
    return f"at {api.name}, with {waiting:g} commands under way"


def _held_up(scene: Scene, api: Api) -> AbstractContextManager[None]:
    """No transaction of that process ends soon."""
    return writers_locked(scene.stack.database_url) if api.back is None else _slow(api.back)


@contextmanager
def _slow(proxy: TcpProxy) -> Iterator[None]:
    with healed(proxy):
        proxy.delay(Direction.TO_CLIENT, SLOW_S)
        yield


def database_refuses(scene: Scene) -> str:
    proxies = [back_of(api) for api in scene.stack.apis]
    with healed(*proxies):
        for proxy in proxies:
            proxy.refuse()
            proxy.cut_now()
        scene.until_more("refused", 2, "customers are told to come again")
        scene.last(0.2, 5)
    return "both processes"


def database_cut(scene: Scene) -> str:
    """Connections to the database die at any byte, mostly in the middle of a transaction."""
    api = scene.any_api()
    direction = scene.random.choice(list(Direction))
    skip, times = scene.random.randrange(3000), scene.random.randint(1, 4)
    with healed(back_of(api)):
        order = back_of(api).cut_at_byte(direction, skip, times=times)
        scene.until(lambda: order.done >= times, f"{order}")
    return f"{times} of {api.name}, {direction.value}, at byte {skip}"


def database_silent(scene: Scene) -> str:
    """Packets vanish, as when the database's host does; nobody is told."""
    api, direction = scene.any_api(), scene.random.choice(list(Direction))
    with healed(back_of(api)):
        back_of(api).swallow(direction)
        scene.until_more("refused", 1, "a customer is told to come again")
        scene.last(DEADLINE_S - 1, 3 * DEADLINE_S)
    return f"{api.name}, {direction.value}"


def cut_commit(scene: Scene) -> str:
    """The request is swallowed, or cut in its middle; or its answer, or the rest of it; or the old session lingers."""
    api = scene.any_api()
    before = scene.counted(api, AMBIGUOUS)
    way = scene.random.randrange(5)
    with healed(back_of(api)):
        order = (
            back_of(api).cut_at(COMMIT, Fault.CUT_BEFORE),
            back_of(api).cut_at(COMMIT, Fault.CUT_BEFORE, pattern_bytes=scene.random.randrange(1, len(COMMIT))),
            back_of(api).cut_at(COMMIT, Fault.CUT_AFTER),
            back_of(api).cut_at(COMMIT, Fault.CUT_AFTER, answer_bytes=scene.random.randrange(1, OK_PACKET)),
            back_of(api).cut_at(COMMIT, Fault.CUT_CLIENT),
        )[way]
        scene.until(lambda: order.done >= 1, f"{order}")
    scene.until(lambda: scene.counted(api, AMBIGUOUS) > before, "what became of it was looked up")
    told = f"{order.pattern_bytes} bytes of it or {order.answer_bytes} of its answer passed on"
    return f"of {api.name}: {order.fault.value}; {told}"


def commit_unknown(scene: Scene) -> str:
    """The answer to a COMMIT is lost, and nobody can be asked what became of it."""
    api = scene.any_api()
    before = scene.counted(api, AMBIGUOUS, outcome="unknown")
    tries = 0
    while scene.counted(api, AMBIGUOUS, outcome="unknown") == before:
        # It may be looked up between the two orders: then once more.
        tries += 1
        assert tries <= TRIES_MOST, f"it was looked up {TRIES_MOST} times before nobody could be asked"
        asked = scene.counted(api, AMBIGUOUS)
        with healed(back_of(api)):
            order = back_of(api).cut_at(COMMIT, Fault.CUT_AFTER)
            back_of(api).refuse()
            scene.until(lambda order=order: order.done >= 1, f"{order}")
            scene.until(
                lambda asked=asked: scene.counted(api, AMBIGUOUS) > asked, "the service looks it up or gives up"
            )
    return api.name
