/* SPDX-License-Identifier: MIT */
/* The capabilities of this process. */
#ifndef COWTRACE_PROC_CAPS_H
#define COWTRACE_PROC_CAPS_H

#include <stdbool.h>

/* In effect, itself (CAP_BPF of linux/capability.h ...) or through CAP_SYS_ADMIN, which stands in
 * for those that were split from it. None in a user namespace: there they do not count for what
 * cowtrace does. */
bool caps__has(int cap);
/* Gives up, for good, what cowtrace was given to trace: whom it starts runs as without it. Does
 * nothing for root, who gets all of them at an exec. */
void caps__drop(void);

#endif
