# SPDX-License-Identifier: MIT
"""The article's server: gunicorn --preload flask_app:app. BIG_N ints, built in the master.

/sum loops over the list and says how much the worker's private memory grew by that.
"""
import os

from flask import Flask, jsonify

import truth


class BigApp:
    def __init__(self, items):
        self.big_data = [item for item in range(items)]

    def total(self):
        total = 0
        for item in self.big_data:  # line: total
            total += item
        return total


app = Flask(__name__)
big = BigApp(int(os.environ.get("BIG_N", "10000000")))


@app.route("/pid")
def pid():
    return jsonify(pid=os.getpid())


@app.route("/sum")
def total():
    before = truth.private_dirty()
    result = big.total()
    return jsonify(pid=os.getpid(), total=result, grown=truth.private_dirty() - before)
