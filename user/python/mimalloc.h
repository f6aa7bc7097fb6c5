/* SPDX-License-Identifier: MIT */
/* Blocks of mimalloc, the allocator of free-threaded builds, found from an address inside one. */
#ifndef COWTRACE_PYTHON_MIMALLOC_H
#define COWTRACE_PYTHON_MIMALLOC_H

#include <stdbool.h>
#include <stdint.h>

struct mem_source;
struct py_offsets;

struct mi_block {
	uint64_t start, size;
	uint64_t first_free; /* head of the free list of its page */
	bool metadata;	     /* addr lies in the head of the segment instead: no block */
};

/* 0; -ENOENT: addr lies in no segment; an error of mem__read. */
int mimalloc__find(const struct mem_source *mem, const struct py_offsets *off, uint64_t addr,
		   struct mi_block *out);

#endif
