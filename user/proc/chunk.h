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

/* A mapping that blocks lie in. */
struct chunk_space {
	uint64_t low, high;
	bool brk; /* the heap: no block is a mapping of its own */
};

#define CHUNK_STEP   (128 * 1024) /* so much is looked at at once */
#define CHUNK_RUN_UP (16 * 1024)  /* ... and before it, for headers that lead to it */

/* Room to work in. Fresh memory for each search would cost more than the search. */
struct chunk_scratch {
	uint64_t words[(CHUNK_STEP + CHUNK_RUN_UP) / 8 + 4];
	uint8_t links[(CHUNK_STEP + CHUNK_RUN_UP) / 16 + 2];
};

/* The block in use that holds addr. far: also one that begins more than 8 KiB before addr, which
 * costs more. 0, -ENOENT, -ESTALE (memory that is free) or an error of mem__read. */
int chunk__find(const struct mem_source *mem, uint64_t addr, const struct chunk_space *in, bool far,
		struct chunk_scratch *scratch, struct chunk *out);

/* Is word a header's size | flags that a chunk of a heap of `limit` bytes can have? */
bool chunk__is_size(uint64_t word, uint64_t limit);

#endif
