/* SPDX-License-Identifier: MIT */
/*
 * Blocks of glibc's malloc, found from an address inside one: by the chain of their headers for
 * those in a heap, by the header at the start of the mapping for large ones. x86-64 and other
 * 64-bit machines: header of 16 bytes before the block, whose second word is size | flags (the same
 * from glibc 2.3 to 2.43, malloc/malloc.c). With another malloc nothing is found.
 */
#ifndef COWTRACE_PROC_CHUNK_H
#define COWTRACE_PROC_CHUNK_H

#include <stdbool.h>
#include <stdint.h>

struct mem_source;

struct chunk {
	uint64_t start, size; /* what malloc's caller got, and may use */
	bool mapped;	      /* a mapping of its own (large blocks) */
};

/* The block in use that holds addr, in a mapping [low, high). far: also one that begins more than
 * 8 KiB before addr, which costs more. 0, -ENOENT or an error of mem__read. */
int chunk__find(const struct mem_source *mem, uint64_t addr, uint64_t low, uint64_t high, bool far,
		struct chunk *out);

/* Is word a header's size | flags that a chunk of a heap of `limit` bytes can have? */
bool chunk__is_size(uint64_t word, uint64_t limit);

#endif
