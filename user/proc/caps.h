/* SPDX-License-Identifier: MIT */
/* The capabilities of this process. */
#ifndef COWTRACE_PROC_CAPS_H
#define COWTRACE_PROC_CAPS_H

#include <stdbool.h>

/* In effect, itself (CAP_BPF of linux/capability.h ...) or through CAP_SYS_ADMIN, which stands in
 * for those that were split from it. */
bool caps__has(int cap);
/* For a program that this process is about to execute: it does not inherit what cowtrace was given
 * to trace it, with ambient capabilities. */
void caps__drop_ambient(void);

#endif
