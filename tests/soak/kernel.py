# SPDX-License-Identifier: MIT
"""What the kernel says of threads when they end, by the group of users that they run as."""
from __future__ import annotations

import collections
import errno
import os
import select
import socket
import struct
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from taskstats import (NLM_F_REQUEST, SWITCH, TASKSTATS_CMD_GET, TASKSTATS_TYPE_AGGR_PID, TASKSTATS_TYPE_STATS,  # noqa: E402
                       WPCOPY_COUNT, Taskstats, attributes)

TASKSTATS_CMD_ATTR_REGISTER_CPUMASK = 3
SO_RCVBUFFORCE = 33
GID = 124  # in struct taskstats; the pid follows it


class Ended(Taskstats):
    """Hears of each thread that ends. A message that found no room is an error: the kernel's count would be a part."""

    def __init__(self) -> None:
        super().__init__()
        self.copies: collections.Counter[int] = collections.Counter()  # by group
        self.threads: collections.Counter[int] = collections.Counter()
        self.pids: dict[int, collections.Counter[int]] = collections.defaultdict(collections.Counter)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        cpus = Path("/sys/devices/system/cpu/possible").read_text().strip().encode() + b"\0"
        body = struct.pack("BBH", TASKSTATS_CMD_GET, 1, 0)
        body += struct.pack("HH", 4 + len(cpus), TASKSTATS_CMD_ATTR_REGISTER_CPUMASK) + cpus + b"\0" * (-len(cpus) % 4)
        self.socket.send(struct.pack("IHHII", 16 + len(body), self.family, NLM_F_REQUEST, 2, 0) + body)

    def take(self) -> None:
        """All that has come."""
        while select.select([self.socket], [], [], 0)[0]:
            try:
                data = self.socket.recv(65536)
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    raise RuntimeError("the kernel's messages of ended threads did not all find room") from error
                raise
            for kind, value in attributes(data[20:]):
                if kind == TASKSTATS_TYPE_AGGR_PID:
                    self.add(dict(attributes(value))[TASKSTATS_TYPE_STATS])

    def add(self, stats: bytes) -> None:
        gid, pid = struct.unpack_from("II", stats, GID)
        self.copies[gid] += struct.unpack_from("Q", stats, WPCOPY_COUNT)[0]
        self.threads[gid] += 1
        self.pids[gid][pid] += 1

    def so_far(self, pid: int) -> int:
        """Of one that lives, asked on a socket of its own: answers would be among the messages."""
        with Taskstats() as other:
            return other.thread(pid)


class Switch:
    """Sees whether another program switches delay accounting off meanwhile, as some tests do: then the kernel does not
    count, and has no count of threads that are forked then."""

    def __init__(self) -> None:
        self.was_off = False
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self) -> None:
        while not self.over.wait(0.01):
            self.was_off = self.was_off or SWITCH.read_text() != "1\n"

    def __enter__(self) -> Switch:
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()

    def take(self) -> bool:
        """Whether it was off since the last time."""
        was, self.was_off = self.was_off, False
        return was


def ended(pid: int) -> bool:
    return not os.path.exists(f"/proc/{pid}")
