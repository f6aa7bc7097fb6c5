/* SPDX-License-Identifier: MIT */
#include "enrich/object.h"

#include <cowtrace/abi.h>

#include "enrich/image.h"
#include "enrich/names.h"
#include "model/facts.h"
#include "proc/mem.h"
#include "proc/tree.h"
#include "python/offsets.h"

/* Objects and GC heads are aligned to 16 bytes (pymalloc since 3.7, malloc always). */
#define OBJECT_ALIGN 16
/* struct pool_header, 3.8 to 3.15 */
#define POOL_HEADER 48

static const struct {
	enum object_place place;
	int offset; /* of the object from addr */
} places[] = {
	{OBJECT_AT_REFCOUNT, 0}, {OBJECT_AT_GC_PREV, 8}, {OBJECT_AT_GC_NEXT, 16},
	{OBJECT_AT_PRE_24, 24},	 {OBJECT_AT_PRE_32, 32},
};

/* An object with a GC head is no candidate for being one without, and the other way round. */
static bool place__fits(enum object_place place, const struct type_fact *type)
{
	switch (place) {
	case OBJECT_AT_GC_PREV:
	case OBJECT_AT_GC_NEXT:
		return type->has_gc;
	case OBJECT_AT_PRE_24:
	case OBJECT_AT_PRE_32:
		return type->preheader;
	default:
		return true;
	}
}

static void fill_types(struct names *names, const struct process *p, const struct image *image,
		       struct fault_facts *f)
{
	uint32_t ob_type = image->offsets->object_type;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		uint64_t object = (f->addr & ~7ull) + places[i].offset;
		size_t word = (CT_WINDOW_BEFORE + places[i].offset + ob_type) / 8;
		const struct type_fact *type;

		if (object % OBJECT_ALIGN || word >= CT_WINDOW_WORDS)
			continue;
		type = names__type(names, p, image, f->window[word], NULL);
		if (type && place__fits(places[i].place, type))
			f->type_at[places[i].place] = type;
		if (f->type_at[OBJECT_AT_REFCOUNT] && f->addr % 8 == 0)
			return; /* the common case: no need to look further */
	}
}

static bool window__word(const struct fault_facts *f, uint64_t address, uint64_t *out)
{
	uint64_t from = (f->addr & ~7ull) - CT_WINDOW_BEFORE;

	if (!f->has_window || address < from || address >= from + 8 * CT_WINDOW_WORDS)
		return false;
	*out = f->window[(address - from) / 8];
	return true;
}

/* A word of the block, from the window if it is there (then it is from before the write). */
static bool block__word(const struct process *p, const struct fault_facts *f, uint64_t address,
			uint64_t *out)
{
	struct mem_source mem;

	if (window__word(f, address, out))
		return true;
	process__sources(p, &mem);
	return mem__read_u64(&mem, address, out) == 0;
}

/* A freed object keeps all of its words but the first: a link to the next free block, or 0. */
static bool object__dead(const struct fault_facts *f, uint64_t object)
{
	uint64_t refs;

	return window__word(f, object, &refs) && (refs == 0 || refs >> 32);
}

/* What stands in front of the object decides where it starts: nothing, a GC head, or 16 bytes more.
 */
static void pool__object(struct names *names, const struct process *p, const struct image *image,
			 struct fault_facts *f)
{
	uint32_t ob_type = image->offsets->object_type;
	uint64_t word;

	for (unsigned int before = 0; before <= 32; before += 16) {
		uint64_t object = f->pool.block + before;
		const struct type_fact *type;

		if (before + 16 > f->pool.block_size || object__dead(f, object) ||
		    !block__word(p, f, object + ob_type, &word))
			continue;
		type = names__type(names, p, image, word, NULL);
		if (!type || type->has_gc != (before > 0) || (before == 32) != type->preheader)
			continue;
		f->pool.type = type;
		f->pool.object = object;
		return;
	}
	/* No live object, and no link either: the last of the free list, or never used. */
	if (window__word(f, f->pool.block, &word) && word == 0)
		f->pool.block_is_free = true;
}

static void fill_pool(struct fault_facts *f, const struct ct_copy *copy, uint32_t pool_size)
{
	uint64_t pool = f->addr & ~((uint64_t)pool_size - 1), offset = f->addr - pool, first;

	f->pool.found = true;
	f->pool.header = copy->flags & CT_F_POOL_HEADER;
	f->pool.block_size = 16 * (copy->pool_szidx + 1u);
	if (f->pool.header)
		return;
	f->pool.block = pool + POOL_HEADER +
			(offset - POOL_HEADER) / f->pool.block_size * f->pool.block_size;
	/*
	 * A block that has just been taken from the free list still holds the link to the next free
	 * one, which is the head of the list by now; one that is at its head is being given back.
	 */
	first = (f->addr & ~7ull) - f->pool.block;
	f->pool.block_is_free = f->pool.block == copy->pool_free;
	if (f->has_window && first <= CT_WINDOW_BEFORE && copy->pool_free &&
	    f->window[(CT_WINDOW_BEFORE - first) / 8] == copy->pool_free)
		f->pool.block_is_free = true;
}

void object__find(struct names *names, const struct process *p, const struct image *image,
		  const struct ct_copy *copy, struct fault_facts *f)
{
	bool found = false;

	if (f->has_window)
		fill_types(names, p, image, f);
	for (int i = 0; i < OBJECT_PLACES; i++)
		found |= f->type_at[i] != NULL;
	if (!(copy->flags & CT_F_POOL))
		return;
	fill_pool(f, copy, image->offsets->pymalloc_pool_size);
	if (!found && !f->pool.header && !f->pool.block_is_free)
		pool__object(names, p, image, f);
}
