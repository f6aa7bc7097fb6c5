# SPDX-License-Identifier: MIT
"""A pandas DataFrame with object columns: 90,000 rows; workers filter, group and look at single rows."""
import pandas

import generate
import service

ROWS = 90000


def column(count, make):
    return pandas.Series([make() for _ in range(count)], dtype=object)


class Frame:
    def __init__(self):
        source = generate.Source(19)
        self.frame = pandas.DataFrame({
            "owner": column(ROWS, lambda: source.words(2)),
            "category": column(ROWS, lambda: source.choice(generate.CATEGORIES)),
            "country": column(ROWS, lambda: source.choice(generate.COUNTRIES)),
            "day": column(ROWS, source.date),
            "tags": column(ROWS, lambda: [source.choice(generate.WORDS), source.choice(generate.WORDS)]),
            "price": [source.price() for _ in range(ROWS)],
            "count": [1 + source.number(9) for _ in range(ROWS)],
        })

    def sales(self, country):
        some = self.frame[self.frame["country"] == country]
        sums = (some["price"] * some["count"]).groupby(some["category"]).sum()
        return [(category, round(float(total), 2)) for category, total in sums.sort_index().items()]

    def search(self, word):
        part = self.frame.iloc[len(word) * 9000:len(word) * 9000 + 20000]
        found = part[part["owner"].str.contains(word)]
        return int(found["count"].sum()), len(found)

    def page(self, number):
        part = self.frame.iloc[number * 2503 % ROWS:][:3000]
        return [(row.owner, row.tags[0]) for row in part.itertuples() if row.day.endswith("-03-07")][:10]

    def request(self, number):
        if number % 3 == 0:
            return self.sales(generate.COUNTRIES[number % len(generate.COUNTRIES)])
        if number % 3 == 1:
            return self.search(generate.WORDS[number % len(generate.WORDS)])
        return self.page(number)


if __name__ == "__main__":
    service.main(Frame, requests=96)
