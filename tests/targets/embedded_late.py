# SPDX-License-Identifier: MIT
"""Run by embed -f: a Python that begins after the fork writes to pages that the host had before it."""
import ctypes
import os
import time

import truth

PAGES = 37


def write(start):
    for page in range(PAGES):
        ctypes.memset(start + page * truth.PAGE, 2, 1)  # line: write


def main():
    time.sleep(1.5)  # the copies of its own start have told of this Python by now
    start = int(os.environ["EMBED_PAGES"])
    pages = [truth.page_of(start) + page for page in range(PAGES)]
    before = truth.frames(pages)
    write(start)
    truth.say(changed=truth.changed(before, pages))
    truth.linger()


main()
