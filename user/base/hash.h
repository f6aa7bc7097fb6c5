/* SPDX-License-Identifier: MIT */
/* uthash, which ends the program without a word when there is no memory, unless it is told what to
 * do: this says why. */
#ifndef COWTRACE_BASE_HASH_H
#define COWTRACE_BASE_HASH_H

#include <stdlib.h>

#include "base/log.h"

static inline _Noreturn void hash__no_memory(void)
{
	log_error("out of memory");
	abort();
}

#define uthash_fatal(msg) hash__no_memory()
#include <uthash.h>

#endif
