"""What each scenario puts on sale before its first user comes: names, counts, and the calls that make them.

Imported by the load command, which makes them, and by the locustfiles, which ask for them.
"""

from tests.accounts import Account
from tests.make import put_event, put_stock

EVENT, SKU, SOLD_OUT = "final", "programme", "rarity"
PLENTY = 10**9
ROW_SEATS = 20

SALE_SEATS, SALE_UNITS = 100, 50
CROWD_A_UNIT = 4
"""So many want each seat and each unit at least, also in a small run: it must sell out."""


def labels(section: str, rows: int, seats: int = ROW_SEATS) -> list[str]:
    """Seats of a section, from the front."""
    return [f"{section}-{row}-{number}" for row in range(1, rows + 1) for number in range(1, seats + 1)]


def flash_sale(users: int) -> tuple[int, int]:
    """How many seats and how many units of one SKU so many users are after."""
    return min(SALE_SEATS, max(1, users // 2 // CROWD_A_UNIT)), min(SALE_UNITS, max(1, users // 2 // CROWD_A_UNIT))


def flash_sale_seats(users: int) -> list[str]:
    return labels("floor", 5)[: flash_sale(users)[0]]


def put_flash_sale(account: Account, users: int) -> None:
    put_event(account, EVENT, flash_sale_seats(users))
    put_stock(account, SKU, flash_sale(users)[1])


STORM_SEATS = labels("storm", 25)


def put_storm(account: Account, users: int) -> None:
    """Seats that run out, so that refusals are sent five times, too; units that do not."""
    del users
    put_event(account, EVENT, STORM_SEATS)
    put_stock(account, SKU, PLENTY)


def cold_sku(number: int) -> str:
    """A stock item that one user asks for and nobody else."""
    return f"cold-{number}"


def put_rows(account: Account, users: int) -> None:
    """One row that all want, and one for each user."""
    put_stock(account, SKU, PLENTY)
    for number in range(users):
        put_stock(account, cold_sku(number), PLENTY)


SECTIONS = tuple(f"block {letter}" for letter in "ABCD")


def put_box_office(account: Account, users: int) -> None:
    del users
    put_event(account, EVENT, [label for section in SECTIONS for label in labels(section, 25)])
    put_stock(account, SKU, PLENTY)


PAYMENT_SEATS = labels("box", 1)


def put_payments(account: Account, users: int) -> None:
    """Fewer than are asked for at one time: what lapses is taken by somebody else."""
    put_event(account, EVENT, PAYMENT_SEATS)
    put_stock(account, SKU, max(3, users // 2))


def put_poison(account: Account, users: int) -> None:
    del users
    put_event(account, EVENT, labels("calm", 50))
    put_stock(account, SKU, PLENTY)
    put_stock(account, SOLD_OUT, 0)
