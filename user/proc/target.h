/* SPDX-License-Identifier: MIT */
/* Can a process be watched, and if not, why? */
#ifndef COWTRACE_PROC_TARGET_H
#define COWTRACE_PROC_TARGET_H

#include <stddef.h>
#include <sys/types.h>

/*
 * 0; -ESRCH: there is no such process, or it has ended; -EINVAL: it is of a kind that is not to be
 * watched: a thread, a part of the kernel, one that watches. why says which, in one line.
 */
int target__check(pid_t pid, char *why, size_t size);

#endif
