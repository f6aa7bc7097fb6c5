# SPDX-License-Identifier: MIT
"""Memory that was only read, so that the kernel's huge page of zeros stands for it; the workers write here and there."""
import mmap

import workers

HUGE, N = 2 << 20, 6
memory = mmap.mmap(-1, (N + 1) * HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
memory.madvise(mmap.MADV_NOHUGEPAGE if workers.AFTER else mmap.MADV_HUGEPAGE)
seen = sum(memory[i * HUGE] for i in range(N + 1))


def work():
    for i in range(N + 1):
        memory[i * HUGE] = 1
    return seen


workers.fork(work)
