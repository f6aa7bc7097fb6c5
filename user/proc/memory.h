/* SPDX-License-Identifier: MIT */
/* How much memory a living process has, and how much of it is shared, as the kernel sums it up. */
#ifndef COWTRACE_PROC_MEMORY_H
#define COWTRACE_PROC_MEMORY_H

#include <stdint.h>
#include <sys/types.h>

struct memory_sums { /* bytes */
	uint64_t anonymous;
	uint64_t shared; /* of these: other processes have them too */
};

/* 0, -ESRCH, -EACCES. */
int memory__read(pid_t pid, struct memory_sums *out);

/* Its anonymous pages, from /proc/PID/statm: takes no lock of the process. Since 6.2 it may be off
 * by some 64 pages for each CPU: for charts, not for sums. 0 or -ESRCH. */
int memory__anon_pages(pid_t pid, uint64_t *out);

/* Where its stack began at the last exec, from /proc/PID/stat: tells one program from the next that
 * the same process executes. 0, -ESRCH, or -EACCES. */
int memory__start_stack(pid_t pid, uint64_t *out);

#endif
