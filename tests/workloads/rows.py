# SPDX-License-Identifier: MIT
"""sqlite3 rows: 80,000 rows are fetched before the fork; workers read them, and ask the database as well, each
over a connection of its own."""
import os
import sqlite3
import tempfile

import generate
import service

ROWS = 80000


def make_database(path):
    source = generate.Source(17)
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("CREATE TABLE sale (id INTEGER PRIMARY KEY, owner TEXT, category TEXT, country TEXT, "
                         "price REAL, count INTEGER, day TEXT, note TEXT)")
        database.executemany("INSERT INTO sale VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (
            (number, source.words(2), source.choice(generate.CATEGORIES), source.choice(generate.COUNTRIES),
             source.price(), 1 + source.number(9), source.date(), source.words(4)) for number in range(ROWS)))
        database.execute("CREATE INDEX by_country ON sale (country, category)")
    database.close()


def fetch(path):
    database = sqlite3.connect(path)
    database.row_factory = sqlite3.Row
    rows = database.execute("SELECT * FROM sale ORDER BY id").fetchall()
    database.close()
    return rows


class Sales:
    def __init__(self):
        self.place = tempfile.TemporaryDirectory(prefix="cowtrace-rows-")
        self.path = os.path.join(self.place.name, "sales.db")
        make_database(self.path)
        self.rows = fetch(self.path)
        self.database = None

    def close(self):
        self.place.cleanup()

    def connect(self):
        """A connection may not be carried over a fork."""
        if self.database is None:
            self.database = sqlite3.connect(self.path)
        return self.database

    def in_memory(self, country):
        total = 0.0
        for row in self.rows:
            if row["country"] == country:
                total += row["price"] * row["count"]
        return round(total, 2)

    def in_database(self, country):
        query = ("SELECT category, count(*), round(sum(price * count), 2), max(note) FROM sale WHERE country = ? "
                 "GROUP BY category ORDER BY category")
        return self.connect().execute(query, (country,)).fetchall()

    def page(self, number):
        """A page of rows as dicts: keys(), and every column."""
        first = number * 3203 % ROWS
        rows = [dict(row) for row in self.rows[first:first + 2000]]
        rows.sort(key=lambda row: (row["day"], row["id"]))
        return [(row["id"], row["owner"], row["note"]) for row in rows[:100]]

    def request(self, number):
        country = generate.COUNTRIES[number % len(generate.COUNTRIES)]
        return (self.in_memory, self.in_database, self.page)[number % 3](country if number % 3 < 2 else number)


if __name__ == "__main__":
    service.main(Sales, requests=96)
