/* SPDX-License-Identifier: MIT */
/* The piece of memory that an address lies in, as its allocator knows it. */
#ifndef COWTRACE_ENRICH_BLOCK_H
#define COWTRACE_ENRICH_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "proc/chunk.h"

struct view;

/* The debug hooks' second word before a block, but for its lowest byte. */
#define DEBUG_PAD 0xfdfdfdfdfdfdfd00ull

/*
 * Large blocks of malloc that were found, and mappings in which the search failed: a program that
 * fills a buffer of many pages would have each page searched for again.
 */
struct block_cache {
	struct block_slot {
		uint32_t pid;
		uint64_t head; /* the word in front of the block: still the same block */
		struct chunk chunk;
	} slots[32];
	struct block_miss {
		uint32_t pid, times;
		uint64_t region;
	} misses[32];
	unsigned int next;
};

/* From the header of the pymalloc pool, which came with the copy. */
void block__of_pool(struct view *v);
/* From the allocators' data, read from the process. */
void block__of_process(struct view *v);

#endif
