/* SPDX-License-Identifier: MIT */
/* Memory for what can not be left out: a file that lacks it would be a lie. Private to the store.
 */
#ifndef COWTRACE_STORE_MEMORY_H
#define COWTRACE_STORE_MEMORY_H

#include <stdlib.h>

#include "base/log.h"

static inline _Noreturn void memory__none(void)
{
	log_error("out of memory while recording; trace for a shorter time, or without --save");
	abort();
}

#define uthash_fatal(msg) memory__none()
#include <uthash.h>

static inline void *memory__get(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		memory__none();
	return p;
}

#endif
