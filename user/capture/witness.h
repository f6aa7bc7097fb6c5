/* SPDX-License-Identifier: MIT */
/* The witnesses (DESIGN 3): names, what they cannot see, and which programs each of them needs. */
#ifndef COWTRACE_CAPTURE_WITNESS_H
#define COWTRACE_CAPTURE_WITNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/kernel.h"

struct bpf_object;

struct witness {
	const char *name;     /* two can have the same: ways to see the same */
	const char *function; /* of the kernel, that it watches; NULL: tracepoints only */
	const char *flush;    /* the function that tells whose copy it is; NULL: pages do */
	bool kprobe;
	const char *note;    /* what its numbers mean if they are not simply copies, or NULL */
	const char *cost;    /* to those who are not traced: a sentence */
	const char *returns; /* a program for the return of that function, by a kprobe; or NULL */
	const char *const *programs; /* besides those that all of them need; ends with NULL */
};

/* In the order they are to be tried, most exact first; ends with NULL. */
const struct witness *const *witness__order(enum preemption preemption);
/* Chooses the programs to load; before load. */
void witness__prepare(const struct witness *w, struct kernel *k, struct bpf_object *object);
bool witness__exists(const char *name);
/* "fexit, kprobe, ..." */
void witness__names(char *buf, size_t size);

/* How often the kernel has skipped a program that had a copy, a fork or an end to see; 0 if it does
 * not say. */
uint64_t witness__skipped(const struct bpf_object *object);

#endif
