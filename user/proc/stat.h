/* SPDX-License-Identifier: MIT */
/* What /proc/PID/stat says of a process: proc(5). */
#ifndef COWTRACE_PROC_STAT_H
#define COWTRACE_PROC_STAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_stat {
	char name[16]; /* of its first thread, as ps -o comm shows it */
	pid_t ppid;
	char state;	  /* 'R', 'S', ... 'Z' */
	bool kernel;	  /* a thread of the kernel */
	bool forked;	  /* has not executed a program since its fork: runs what its parent ran */
	uint64_t started; /* clock ticks since boot: with the pid, which process it is */
	uint64_t stack;	  /* where its stack began at the last exec; 0: may not be known */
};

/* 0 or -EINVAL. */
int proc_stat__parse(const char *text, size_t len, struct proc_stat *out);
/* 0, -ESRCH. */
int proc_stat__read(pid_t pid, struct proc_stat *out);

/* Calls visit for each process that there is, once. 0, or -errno: /proc can not be read. */
int proc__each(void (*visit)(void *ctx, pid_t pid), void *ctx);

#endif
