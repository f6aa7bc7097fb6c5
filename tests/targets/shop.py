# SPDX-License-Identifier: MIT
"""A service in two releases: shop.py RELEASE WORKERS. Each worker of the first one reads 23 objects, each alone on
its page, in total(), and 17 in names(); each worker of the second one the same 17, and 13 others in offers().
"""
import os
import sys

import truth

RELEASE, WORKERS = sys.argv[1:]


def total(items):
    for item in items:  # line: total
        pass


def names(items):
    for item in items:  # line: names
        pass


def offers(items):
    for item in items:  # line: offers
        pass


def work(items, labels, extra):
    names(labels)
    if RELEASE == "1":
        total(items)
    else:
        offers(extra)


def main():
    sets = [truth.make(count, lambda i: bytes(200_000)) for count in (23, 17, 13)]
    for some in sets:
        truth.alone(some)
    truth.linger()
    # All are forked before the first one writes, so that each copies what others still share.
    ready, go = os.pipe()
    for _ in range(int(WORKERS)):
        if os.fork() == 0:
            os.close(go)
            os.read(ready, 1)
            work(*sets)
            os._exit(0)
    os.close(ready)
    os.close(go)
    for _ in range(int(WORKERS)):
        os.wait()
    truth.linger()


truth.own_mappings()
main()
