/* SPDX-License-Identifier: MIT */
/* How much memory a living process has, and how much of it is shared, as the kernel sums it up. */
#ifndef COWTRACE_PROC_MEMORY_H
#define COWTRACE_PROC_MEMORY_H

#include <stdint.h>
#include <sys/types.h>

struct memory_sums { /* bytes */
	uint64_t anonymous;
	uint64_t shared; /* mapped by more than one process; files included */
};

/* From /proc/PID/smaps_rollup. 0, -ESRCH, -EACCES. */
int memory__read(pid_t pid, struct memory_sums *out);

/* Where its stack began at the last exec, from /proc/PID/stat: tells one program from the next that
 * the same process executes. 0, -ESRCH, or -EACCES. */
int memory__start_stack(pid_t pid, uint64_t *out);

#endif
