# SPDX-License-Identifier: MIT
"""The kernel's own count of copies of a thread, asked by another way than cowtrace's: taskstats."""
from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_SH, flock
from pathlib import Path

# include/uapi/linux/netlink.h, genetlink.h, taskstats.h
NETLINK_GENERIC, GENL_ID_CTRL, NLM_F_REQUEST, NLMSG_ERROR = 16, 16, 1, 2
CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 3, 1, 2
TASKSTATS_CMD_GET, TASKSTATS_CMD_ATTR_PID, TASKSTATS_TYPE_AGGR_PID, TASKSTATS_TYPE_STATS = 1, 1, 4, 3
WPCOPY_COUNT = 400  # in struct taskstats, since version 13

SWITCH = Path("/proc/sys/kernel/task_delayacct")
LOCK = Path("/run/cowtrace.delayacct")  # see user/proc/delayacct.c


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 4:
        size, kind = struct.unpack_from("HH", data)
        yield kind, data[4:size]
        data = data[(size + 3) & ~3:]


class Taskstats:
    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
        self.socket.bind((0, 0))
        answer = dict(self.ask(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME, b"TASKSTATS\0"))
        self.family = struct.unpack_from("H", answer[CTRL_ATTR_FAMILY_ID])[0]

    def __enter__(self) -> Taskstats:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def ask(self, family: int, command: int, kind: int, value: bytes) -> list[tuple[int, bytes]]:
        body = struct.pack("BBH", command, 1, 0) + struct.pack("HH", 4 + len(value), kind) + value
        body += b"\0" * (-len(body) % 4)
        self.socket.send(struct.pack("IHHII", 16 + len(body), family, NLM_F_REQUEST, 1, 0) + body)
        data = self.socket.recv(65536)
        if struct.unpack_from("IH", data)[1] == NLMSG_ERROR:
            raise OSError(-struct.unpack_from("i", data, 16)[0], "taskstats")
        return list(attributes(data[20:]))

    def thread(self, tid: int) -> int:
        answer = dict(self.ask(self.family, TASKSTATS_CMD_GET, TASKSTATS_CMD_ATTR_PID, struct.pack("I", tid)))
        stats = dict(attributes(answer[TASKSTATS_TYPE_AGGR_PID]))[TASKSTATS_TYPE_STATS]
        return struct.unpack_from("Q", stats, WPCOPY_COUNT)[0]

    def processes(self, pids: list[int]) -> int:
        """Of all threads that live."""
        return sum(self.thread(int(tid)) for pid in pids for tid in os.listdir(f"/proc/{pid}/task"))


@contextmanager
def delay_accounting() -> Iterator[None]:
    """On before what is traced begins: a thread that is older has no count. Put back as cowtrace does it."""
    fd = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    flock(fd, LOCK_SH)
    if SWITCH.read_text().strip() == "0":
        os.pwrite(fd, b"1", 0)
        SWITCH.write_text("1\n")
    try:
        yield
    finally:
        release(fd)


def release(fd: int) -> None:
    """The last one who needs it switches it off, if it was off before the first."""
    from fcntl import LOCK_EX, LOCK_NB

    try:
        flock(fd, LOCK_EX | LOCK_NB)
        if os.pread(fd, 1, 0) == b"1":
            SWITCH.write_text("0\n")
            os.ftruncate(fd, 0)
    except BlockingIOError:
        pass
    os.close(fd)
