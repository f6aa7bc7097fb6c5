/* SPDX-License-Identifier: MIT */
/* Short files in which the kernel shows a setting. */
#ifndef COWTRACE_PROC_KERNEL_FILE_H
#define COWTRACE_PROC_KERNEL_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* The first line, without its end. 0 or -errno. */
int kernel_file__line(const char *path, char *buf, size_t size);
/* A whole number. 0; -EINVAL: it is none; -errno. */
int kernel_file__number(const char *path, long *out);
/* Is this process in the namespace that the machine began with? which: "pid", "user". True if it
 * can not be found out. */
bool kernel_file__first_namespace(const char *which);

#endif
