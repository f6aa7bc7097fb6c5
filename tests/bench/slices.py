# SPDX-License-Identifier: MIT
"""A Flask service for gunicorn --preload: BIG_N ints, made in the master. Each request loops over the next SLICE of them,
as the article's does over all; after BIG_N / SLICE requests a worker has a copy of every page."""
import os

from flask import Flask

ITEMS, SLICE = int(os.environ["BIG_N"]), int(os.environ["SLICE"])
app = Flask(__name__)
held = [item for item in range(ITEMS)]
at = 0


@app.route("/up")
def up():
    return "up\n"


@app.route("/sum")
def total():
    global at
    result = 0
    for i in range(at, at + SLICE):
        result += held[i]
    at = (at + SLICE) % ITEMS
    return f"{result}\n"
