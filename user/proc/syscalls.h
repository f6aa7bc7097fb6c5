/* SPDX-License-Identifier: MIT */
/* Names of system calls, from the headers of the machine that built cowtrace. */
#ifndef COWTRACE_PROC_SYSCALLS_H
#define COWTRACE_PROC_SYSCALLS_H

/* "read", or NULL if the number is not known. */
const char *syscall__name(long nr);

#endif
