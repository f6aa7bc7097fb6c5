/* SPDX-License-Identifier: MIT */
#include "proc/syscalls.h"

#include <stddef.h>
#include <sys/syscall.h>

static const char *const names[] = {
#include "syscalls.inc"
};

const char *syscall__name(long nr)
{
	if (nr < 0 || (unsigned long)nr >= sizeof(names) / sizeof(names[0]))
		return NULL;
	return names[nr];
}
