/* SPDX-License-Identifier: MIT */
/* Addresses of kernel functions, from /proc/kallsyms. */
#ifndef COWTRACE_CAPTURE_KALLSYMS_H
#define COWTRACE_CAPTURE_KALLSYMS_H

#include <stdbool.h>
#include <stdint.h>

struct kallsyms;

/*
 * Reads all of it, once: some ten megabytes in pieces of a page, which is what costs. 0, or -errno.
 */
int kallsyms__read(struct kallsyms **out);
/* The same of a file that looks like it. */
int kallsyms__read_file(const char *path, struct kallsyms **out);
void kallsyms__free(struct kallsyms *symbols);

/* [start, end) of a kernel function: end is the next symbol. -ENOENT: no such name, or hidden. */
int kallsyms__range(const struct kallsyms *symbols, const char *name, uint64_t *start,
		    uint64_t *end);

/* Is there such a name, its address hidden or not? */
bool kallsyms__has(const struct kallsyms *symbols, const char *name);

#endif
