/* SPDX-License-Identifier: MIT */
/* The witnesses (DESIGN 3): names, what they cannot see, and which programs each of them needs. */
#ifndef COWTRACE_CAPTURE_WITNESS_H
#define COWTRACE_CAPTURE_WITNESS_H

#include <stdbool.h>
#include <stddef.h>

struct cowtrace;

struct witness {
	const char *name;
	const char *limits; /* what it does not see: nouns for the report */
	/* Chooses the programs to load; before load. */
	void (*prepare)(struct cowtrace *skel);
};

/* In the order they are tried, most exact first; ends with a NULL name. */
extern const struct witness witnesses[];

/* "fexit, tracepoints" */
void witness__names(char *buf, size_t size);

#endif
