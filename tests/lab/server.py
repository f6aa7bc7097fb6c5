# SPDX-License-Identifier: MIT
"""The article's server, for gunicorn: LAB_KIND and LAB_ITEMS say what it holds. Whoever imports this module makes the
data: the master with --preload, each worker without.

/access?how=read|write|idle&hold=SECONDS does it once, and keeps the worker busy for a moment, so that the next request goes to
another one."""
import os
import time

from flask import Flask, jsonify, request

import data

KIND, ITEMS = os.environ["LAB_KIND"], int(os.environ["LAB_ITEMS"])
app = Flask(__name__)
held = data.make(KIND, ITEMS)


@app.route("/pid")
def pid():
    return jsonify(pid=os.getpid())


@app.route("/access")
def access():
    result = data.access(KIND, held, request.args["how"])
    time.sleep(float(request.args["hold"]))
    return jsonify(pid=os.getpid(), result=result)
