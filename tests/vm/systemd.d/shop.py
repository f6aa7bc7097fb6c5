# SPDX-License-Identifier: MIT
"""A service of systemd whose workers write to what they share with their master, and are replaced."""
import mmap
import os
import time

PAGES = 200
area = mmap.mmap(-1, PAGES * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for page in range(PAGES):
    area[page * mmap.PAGESIZE] = 1


def work():
    for page in range(PAGES):
        area[page * mmap.PAGESIZE] = 2
        time.sleep(0.005)
    os._exit(0)


def fork():
    if os.fork() == 0:
        work()


for _ in range(2):
    fork()
while os.wait():
    fork()
