/* SPDX-License-Identifier: MIT */
/* Addresses of kernel functions, from /proc/kallsyms. */
#ifndef COWTRACE_CAPTURE_KALLSYMS_H
#define COWTRACE_CAPTURE_KALLSYMS_H

#include <stdbool.h>
#include <stdint.h>

/* [start, end) of a kernel function: end is the next symbol. -ENOENT: no such name, or hidden. */
int kallsyms__range(const char *name, uint64_t *start, uint64_t *end);

/* Is there such a name, its address hidden or not? True if that can not be found out. */
bool kallsyms__has(const char *name);

#endif
