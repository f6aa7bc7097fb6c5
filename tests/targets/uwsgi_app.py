# SPDX-License-Identifier: MIT
"""A WSGI application whose data is loaded before uWSGI forks its workers: 23 bytes objects, each alone on
its pages, and 19 of str. Each request reads all of one kind; the answer is the number of the worker."""
import gc

import truth
import uwsgi

SIZE = 200_000

gc.disable()
BYTES = truth.make(23, lambda i: bytes(SIZE))
STR = truth.make(19, lambda i: "x" * SIZE)
truth.alone(BYTES + STR)


def read_bytes():
    for item in BYTES:  # line: bytes
        pass


def read_str():
    for item in STR:  # line: str
        pass


def application(environ, start_response):
    (read_str if environ["PATH_INFO"] == "/str" else read_bytes)()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"worker %d\n" % uwsgi.worker_id()]
