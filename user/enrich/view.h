/* SPDX-License-Identifier: MIT */
/* The memory around one copy, as object.c and block.c look at it: the window of the copy first, as
 * it is from before the write, then the process. */
#ifndef COWTRACE_ENRICH_VIEW_H
#define COWTRACE_ENRICH_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "proc/mem.h"

struct block_cache;
struct ct_copy;
struct fault_facts;
struct image;
struct names;
struct process;
struct py_offsets;

struct view {
	struct names *names;
	const struct process *process;
	const struct image *image;
	const struct py_offsets *off;
	const struct ct_copy *copy;
	struct fault_facts *facts; /* what is filled in */
	struct block_cache *blocks;
	struct mem_source mem;
	struct mem_source
		before; /* the ancestors only: what they hold is mostly from before the fork */
};

bool view__in_window(const struct view *v, uint64_t address);
/* A word, from the window or else from the process. */
bool view__word(const struct view *v, uint64_t address, uint64_t *out);
/* The word that an ancestor has at that address. */
bool view__word_before(const struct view *v, uint64_t address, uint64_t *out);

#endif
