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

#define BLOCK_SLOTS  64
#define BLOCK_MISSES 256
#define BLOCK_BARREN 64

/*
 * Large blocks of malloc that were found, and places where the search failed: a program that fills
 * a buffer of many pages would have each page searched for again.
 */
struct block_cache {
	struct block_slot {
		uint64_t image; /* image.id */
		uint64_t head;	/* the word in front of the block: still the same block */
		struct chunk chunk;
	} slots[BLOCK_SLOTS];
	struct block_miss {
		uint64_t image, place;
		uint32_t times;
	} misses[BLOCK_MISSES];
	struct block_barren { /* a mapping, and how many searches in a row found nothing in it */
		uint64_t image, start;
		uint32_t failed, asked;
	} barren[BLOCK_BARREN];
	unsigned int next, failed; /* far searches since the last that found something */
	struct chunk_scratch scratch;
};

/* From the header of the pymalloc pool, which came with the copy. */
void block__of_pool(struct view *v);
/* From the allocators' data, read from the process. */
void block__of_process(struct view *v);

#endif
