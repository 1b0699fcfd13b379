"""All want one stock row, or, with LOAD_ROWS=cold, each user a row of its own.

Nothing else happens, so that what differs between two runs is what the engine does about the row.
"""

import os
from itertools import count

from locust import task

from loadtests.sales import SKU, cold_sku
from loadtests.visitor import Visitor

IS_COLD = os.environ.get("LOAD_ROWS") == "cold"


class Buyer(Visitor):
    """Takes a unit, again and again."""

    numbers = count()

    def on_start(self) -> None:
        number = next(Buyer.numbers)
        self.sku = cold_sku(number) if IS_COLD else SKU

    @task
    def take_one(self) -> None:
        self.hold([{"sku": self.sku, "quantity": 1}], {201})
