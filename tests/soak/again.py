# SPDX-License-Identifier: MIT
"""fork() that gives out the same few pids again and again, as a machine does that has run for months: clone3() with a
pid of one's own choice. The whole of two programs may be run on the same pids, one after the other."""
import ctypes
import errno
import os
import signal
import struct

CLONE3 = 435  # of all machines
libc = ctypes.PyDLL(None, use_errno=True)  # it keeps the lock of the interpreter, as fork() does


class Pids:
    def __init__(self, first, count):
        self.first, self.count = first, count

    def fork(self, at):
        """As os.fork(), with the pid that is the at-th; if somebody has that, the next one that is free."""
        for _ in range(self.count):
            wanted = ctypes.c_int(self.first + at % self.count)
            args = struct.pack("=11Q", 0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, ctypes.addressof(wanted), 1, 0)
            pid = libc.syscall(CLONE3, args, ctypes.c_size_t(len(args)))
            if pid >= 0:
                return pid
            if ctypes.get_errno() != errno.EEXIST:
                break
            at += 1
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
