# SPDX-License-Identifier: MIT
"""Dataclasses with __slots__: the workload of records.py. The slots are written by hand: dataclass(slots=True)
exists since 3.10 only."""
from dataclasses import dataclass

import records
import service


@dataclass
class Position:
    __slots__ = ("number", "owner", "category", "country", "price", "count", "weight", "history")
    number: int
    owner: str
    category: str
    country: str
    price: float
    count: int
    weight: float
    history: list

    def value(self):
        return self.price * self.count


class Stock(records.Stock):
    kind = Position


if __name__ == "__main__":
    service.main(Stock, requests=162)
