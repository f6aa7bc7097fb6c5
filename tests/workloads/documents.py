# SPDX-License-Identifier: MIT
"""JSON documents in dicts: 9,000 orders from json.loads(); workers filter and aggregate."""
import json

import generate
import service

ORDERS = 9000


def make_order(source, number):
    return json.dumps({
        "id": number,
        "date": source.date(),
        "customer": {"name": source.words(2), "mail": source.words(1) + "@example.org",
                     "country": source.choice(generate.COUNTRIES), "points": source.number(5000)},
        "note": source.words(6),
        "paid": source.number(10) > 0,
        "items": [{"sku": "S%06d" % source.number(400000), "category": source.choice(generate.CATEGORIES),
                   "price": source.price(), "count": 1 + source.number(9),
                   "tags": [source.choice(generate.WORDS) for _ in range(3)]}
                  for _ in range(4 + source.number(5))],
    })


class Orders:
    def __init__(self):
        source = generate.Source(7)
        self.orders = [json.loads(make_order(source, number)) for number in range(ORDERS)]

    def by_category(self, country):
        """Sales of one country: looks at all orders, and deep into some."""
        sales = {}
        for order in self.orders:
            if order["customer"]["country"] != country or not order["paid"]:
                continue
            for item in order["items"]:
                category = item["category"]
                sales[category] = sales.get(category, 0) + item["price"] * item["count"]
        return sorted((category, round(total, 2)) for category, total in sales.items())

    def tagged(self, word):
        """The best paid orders of a shop that have a tag, as an answer in JSON."""
        found = []
        for order in self.orders[len(word) % 4::4]:
            if any(word in item["tags"] for item in order["items"]):
                found.append({"id": order["id"], "name": order["customer"]["name"],
                              "sum": round(sum(i["price"] * i["count"] for i in order["items"]), 2)})
        found.sort(key=lambda row: (-row["sum"], row["id"]))
        return json.dumps(found[:20]), found[20:200]

    def request(self, number):
        if number % 3 == 0:
            return self.by_category(generate.COUNTRIES[number % len(generate.COUNTRIES)])
        return self.tagged(generate.WORDS[number % len(generate.WORDS)])


if __name__ == "__main__":
    service.main(Orders, requests=96)
