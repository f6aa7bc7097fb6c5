/* SPDX-License-Identifier: MIT */
/* Cleanup attributes: a resource is released on every way out of the scope that owns it. */
#ifndef COWTRACE_BASE_CLEANUP_H
#define COWTRACE_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup__free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup__fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup__file(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define _free_	 __attribute__((cleanup(cleanup__free)))
#define _close_	 __attribute__((cleanup(cleanup__fd)))
#define _fclose_ __attribute__((cleanup(cleanup__file)))

/* Hands ownership of a pointer to the caller: returns it and leaves NULL behind. */
#define TAKE_PTR(p)                                                                                \
	({                                                                                         \
		__auto_type _t = (p);                                                              \
		(p) = NULL;                                                                        \
		_t;                                                                                \
	})

#endif
