/* SPDX-License-Identifier: MIT */
/* What this kernel is like, found by looking and not by its version. */
#ifndef COWTRACE_CAPTURE_KERNEL_H
#define COWTRACE_CAPTURE_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Where a BPF program can be preempted. Until it goes on, the kernel skips it for all other threads
 * of that CPU: what they do is missed.
 */
enum preemption {
	PREEMPTION_NONE,	/* nowhere, or it can not be found out */
	PREEMPTION_FUNCTIONS,	/* at fentry and fexit */
	PREEMPTION_TRACEPOINTS, /* there too, but not as an event of perf */
};

struct direct;
struct kernel;

/*
 * Reads its types, and its symbols if it does not answer when it is asked for one: a few dozen
 * megabytes, to be let go of when the programs run. What can not be read is not known: see below. 0
 * or -ENOMEM.
 */
int kernel__look(struct kernel **out);
void kernel__free(struct kernel *k);

enum preemption kernel__preemption(struct kernel *k);

/* Does a struct of this kernel have this member? True if that is not known. */
bool kernel__has_member(struct kernel *k, const char *type, const char *member);
/* How many arguments a function of this kernel has; -1: not known. */
int kernel__arguments(struct kernel *k, const char *function);
/* Does this kernel have a type of this name? True if that is not known. */
bool kernel__has_type(struct kernel *k, const char *type);

/* Is there a symbol of this name, its address hidden or not? True if that is not known. */
bool kernel__has_symbol(struct kernel *k, const char *name);
/* [start, end) of a function. -ENOENT: no such name, or its address is hidden. */
int kernel__range(struct kernel *k, const char *function, uint64_t *start, uint64_t *end);

bool kernel__has_kprobes(void);
/* Can programs read a process's memory where the kernel has it? Tried once. */
const struct direct *kernel__direct(struct kernel *k);

/*
 * Can a function be followed by fentry and fexit programs? Tried with one that does nothing. 0, or
 * -ESRCH: there is no such function; -EINVAL: it takes a struct; -ENOTSUPP: not followed; -EPERM.
 */
int kernel__try_fexit(struct kernel *k, const char *function);

#endif
