# SPDX-License-Identifier: MIT
"""Made-up data, the same on every version: only random.random() is used, which is promised to stay."""
import random

COUNTRIES = ("AT", "BE", "CH", "DE", "DK", "ES", "FR", "IT", "NL", "PL", "PT", "SE")
CATEGORIES = ("books", "games", "garden", "kitchen", "music", "office", "shoes", "sports", "tools", "toys")
WORDS = ("amber", "basket", "candle", "drawer", "engine", "fabric", "glass", "handle", "iron", "jacket",
         "kettle", "ladder", "marble", "needle", "orange", "paper", "quilt", "ribbon", "silver", "timber",
         "umbrella", "velvet", "window", "yellow", "zipper", "bottle", "copper", "leather", "mirror", "pocket")


class Source:
    def __init__(self, seed):
        self.random = random.Random(seed).random

    def number(self, below):
        return int(self.random() * below)

    def choice(self, values):
        return values[self.number(len(values))]

    def words(self, count):
        return " ".join(self.choice(WORDS) for _ in range(count))

    def date(self):
        return "20%02d-%02d-%02d" % (10 + self.number(15), 1 + self.number(12), 1 + self.number(28))

    def price(self):
        return self.number(100000) / 100
