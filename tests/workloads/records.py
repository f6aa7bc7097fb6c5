# SPDX-License-Identifier: MIT
"""Dataclasses: 70,000 stock positions of plain dataclasses; workers value them. slots.py is the same with
__slots__."""
from dataclasses import dataclass

import generate
import service

POSITIONS = 70000


@dataclass
class Position:
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


def load(kind):
    source = generate.Source(11)
    positions = []
    for number in range(POSITIONS):
        positions.append(kind(
            number=number + 1000000, owner=source.words(2), category=source.choice(generate.CATEGORIES),
            country=source.choice(generate.COUNTRIES), price=source.price(), count=1000 + source.number(5000),
            weight=source.random(), history=[source.price(), source.price()]))
    return positions


class Stock:
    kind = Position

    def __init__(self):
        self.positions = load(self.kind)

    def value_of(self, country):
        total = 0.0
        for position in self.positions:
            if position.country == country:
                total += position.value()
        return round(total, 2)

    def heaviest(self, shard):
        some = self.positions[shard::16]
        some.sort(key=lambda position: position.weight * position.count, reverse=True)
        return [(position.number, position.owner, position.history[0]) for position in some[:200]]

    def report(self, shard):
        """A table of one part: made of new objects, and thrown away."""
        rows = {}
        for position in self.positions[shard * 4000:shard * 4000 + 4000]:
            rows.setdefault((position.category, position.country), []).append(position.price)
        return sorted((key, round(sum(prices) / len(prices), 2)) for key, prices in rows.items())[:5]

    def request(self, number):
        if number % 3 == 0:
            return self.value_of(generate.COUNTRIES[number % len(generate.COUNTRIES)])
        if number % 3 == 1:
            return self.heaviest(number % 16)
        return self.report(number % 16)


if __name__ == "__main__":
    service.main(Stock, requests=162)
