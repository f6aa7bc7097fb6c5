/* SPDX-License-Identifier: MIT */
/* Addresses of kernel functions, from /proc/kallsyms. */
#ifndef COWTRACE_CAPTURE_KALLSYMS_H
#define COWTRACE_CAPTURE_KALLSYMS_H

#include <stdint.h>

/* [start, end) of a kernel function: end is the next symbol. -ENOENT: no such name, or hidden. */
int kallsyms__range(const char *name, uint64_t *start, uint64_t *end);

#endif
