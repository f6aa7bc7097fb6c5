/* SPDX-License-Identifier: MIT */
/* What this kernel is like, found by looking and not by its version. */
#ifndef COWTRACE_CAPTURE_KERNEL_H
#define COWTRACE_CAPTURE_KERNEL_H

#include <stdbool.h>

/*
 * Where a BPF program can be preempted. Until it goes on, the kernel skips it for all other threads
 * of that CPU: what they do is missed.
 */
enum preemption {
	PREEMPTION_NONE,	/* nowhere, or it can not be found out */
	PREEMPTION_FUNCTIONS,	/* at fentry and fexit */
	PREEMPTION_TRACEPOINTS, /* there too, but not as an event of perf */
};

enum preemption kernel__preemption(void);

/* Does a struct of this kernel have this member? True if that is not known. */
bool kernel__has_member(const char *type, const char *member);
/* How many arguments a function of this kernel has; -1: not known. */
int kernel__arguments(const char *function);

/* Does this kernel have a type of this name? True if that is not known. */
bool kernel__has_type(const char *type);

bool kernel__has_kprobes(void);

#endif
