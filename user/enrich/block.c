/* SPDX-License-Identifier: MIT */
#include "enrich/block.h"

#include <cowtrace/abi.h>

#include "enrich/image.h"
#include "enrich/view.h"
#include "model/facts.h"
#include "proc/chunk.h"
#include "python/mimalloc.h"
#include "python/offsets.h"

/* struct pool_header, 3.8 to 3.15 */
#define POOL_HEADER 48
/* Thread states of one interpreter that are looked at. */
#define MAX_THREADS 32

/*
 * A block that has just been taken from the free list still holds the link to the next free one,
 * which is the head of the list by now; one that is at its head is being given back; one that holds
 * 0 is the last of the list, or has never been used.
 */
static bool is_handed_out(const struct view *v, uint64_t start, uint64_t first_free)
{
	uint64_t word;

	if (start == first_free)
		return true;
	if (!view__in_window(v, start) || !view__word(v, start, &word))
		return false;
	return first_free && word == first_free;
}

void block__of_pool(struct view *v)
{
	const struct ct_copy *copy = v->copy;
	struct fault_facts *f = v->facts;
	struct block_fact *b = &f->block;
	uint32_t pool_size = v->off->pymalloc_pool_size;
	uint64_t pool;

	if (!(copy->flags & CT_F_POOL) || pool_size == PY_NO_OFFSET)
		return;
	pool = f->addr & ~((uint64_t)pool_size - 1);
	b->allocator = BLOCK_PYMALLOC;
	b->header = copy->flags & CT_F_POOL_HEADER;
	b->size = 16 * (copy->pool_szidx + 1u);
	b->start = pool;
	if (b->header)
		return;
	b->start = pool + POOL_HEADER + (f->addr - pool - POOL_HEADER) / b->size * b->size;
	b->is_free = is_handed_out(v, b->start, copy->pool_free);
}

static void of_mimalloc(struct view *v)
{
	struct block_fact *b = &v->facts->block;
	struct mi_block block;

	if (mimalloc__find(&v->mem, v->off, v->facts->addr, &block))
		return;
	b->allocator = BLOCK_MIMALLOC;
	b->header = block.metadata;
	b->start = block.start;
	b->size = block.size;
	b->is_free = !b->header && is_handed_out(v, block.start, block.first_free);
}

/* The state of an interpreter or of one of its threads, in memory of malloc (up to 3.10; later the
 * first of each lie in _PyRuntime). */
static bool is_interpreter(const struct view *v, uint64_t start)
{
	uint64_t interp, thread;

	if (!view__word(v, v->image->python.runtime + v->off->runtime_interpreters_head, &interp) ||
	    interp == start)
		return interp == start;
	if (!view__word(v, interp + v->off->interp_threads_head, &thread))
		return false;
	for (unsigned int i = 0; i < MAX_THREADS && thread; i++) {
		if (thread == start)
			return true;
		if (!view__word(v, thread + v->off->tstate_next, &thread))
			return false;
	}
	return false;
}

static void of_malloc(struct view *v)
{
	struct fault_facts *f = v->facts;
	struct block_fact *b = &f->block;
	struct chunk chunk;

	if (chunk__find(&v->mem, f->addr, f->region.start, f->region.end, &chunk))
		return;
	b->allocator = BLOCK_MALLOC;
	b->start = chunk.start;
	b->size = chunk.size;
	f->interpreter = is_interpreter(v, chunk.start);
}

void block__of_process(struct view *v)
{
	const struct fault_facts *f = v->facts;

	if (f->block.allocator || (f->region.kind != REGION_ANON && f->region.kind != REGION_HEAP))
		return;
	if (f->free_threaded && f->region.kind == REGION_ANON)
		of_mimalloc(v);
	if (!f->block.allocator)
		of_malloc(v);
}
