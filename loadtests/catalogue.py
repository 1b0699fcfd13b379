"""The scenarios by name: what each is about, what has to stand around it, and how large it is unless told otherwise."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from loadtests import sales
from loadtests.stack import Shape
from service.demo.tcp_proxy import Direction, TcpProxy
from tests.accounts import Account

FOLDER = Path(__file__).parent / "scenarios"
POISONED, UNGUARDED, WITHOUT_KEYS = "tests.load.crashes", "tests.races.unguarded", "tests.load.ignores_keys"


@dataclass(frozen=True)
class Scenario:
    """`about` is one line for people. `control` is the same with what protects it switched off: it must be caught."""

    name: str
    about: str
    users: int
    duration_s: int
    put_on_sale: Callable[[Account, int], None]
    shape: Shape = field(default_factory=Shape)
    control: Shape | None = None
    ends_by_itself: bool = False

    @property
    def locustfile(self) -> Path:
        return FOLDER / f"{self.name.replace('-', '_')}.py"


def cut_a_third(proxy: TcpProxy) -> None:
    """Of the connections, before the answer."""
    proxy.cut_share(Direction.TO_CLIENT, 1 / 3)


def be_a_bad_network(proxy: TcpProxy) -> None:
    """Latency of 10 to 100 ms each way, a tenth of the requests lost, and half of the answers."""
    for direction in Direction:
        proxy.delay_between(direction, 0.01, 0.1)
    proxy.cut_share(Direction.TO_SERVER, 0.1)
    proxy.cut_share(Direction.TO_CLIENT, 0.5)


STORMY = Shape(hurt=cut_a_third)
UNGUARDED_SALE = Shape(launcher=UNGUARDED, settings={"HOLDFAST_TEST_UNGUARDED": "1"}, is_guarded=False)

SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "retry-storm",
            "every request five times at once under one key; a third of the connections cut before the answer",
            users=40,
            duration_s=60,
            put_on_sale=sales.put_storm,
            shape=STORMY,
            control=replace(STORMY, launcher=WITHOUT_KEYS),
        ),
        Scenario(
            "flash-sale",
            "ten thousand want one hundred seats and one SKU with fifty units, in one second",
            users=10_000,
            duration_s=300,
            put_on_sale=sales.put_flash_sale,
            control=UNGUARDED_SALE,
            ends_by_itself=True,
        ),
        Scenario(
            "hot-row",
            "all on one stock row: 1, 2, 4 processes, optimistic, FOR UPDATE, Redis lock; and cold rows beside them",
            users=100,
            duration_s=10,
            put_on_sale=sales.put_rows,
        ),
        Scenario(
            "box-office",
            "an ordinary day: availability, best available, hold, extend, confirm, release, abandon, look up",
            users=100,
            duration_s=60,
            put_on_sale=sales.put_box_office,
        ),
        Scenario(
            "mobile",
            "bad network: latency, loss, half of the answers lost, apps killed and restarted with their stored key",
            users=60,
            duration_s=60,
            put_on_sale=sales.put_storm,
            shape=Shape(hurt=be_a_bad_network),
        ),
        Scenario(
            "slow-payment",
            "holds of a second or two expire while their payments arrive; late confirms",
            users=60,
            duration_s=60,
            put_on_sale=sales.put_payments,
        ),
        Scenario(
            "poison",
            "a few requests of every batch are invalid, refused or crash the decision; the rest must not notice",
            users=60,
            duration_s=60,
            put_on_sale=sales.put_poison,
            shape=Shape(launcher=POISONED),
        ),
    )
}
