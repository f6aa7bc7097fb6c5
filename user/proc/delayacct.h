/* SPDX-License-Identifier: MIT */
/* The kernel's own count of copies (wpcopy_count) exists only while delay accounting is switched
 * on, for tasks made since: sysctl kernel.task_delayacct, system-wide. */
#ifndef COWTRACE_PROC_DELAYACCT_H
#define COWTRACE_PROC_DELAYACCT_H

#include <stdbool.h>

/* Whether it is on: 1 or 0, -ENOENT if this kernel can not switch it. */
int delayacct__get(void);
/* 0 or -errno. */
int delayacct__set(bool on);

#endif
