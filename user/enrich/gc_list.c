/* SPDX-License-Identifier: MIT */
#include "enrich/gc_list.h"

#include <stdbool.h>
#include <stdint.h>

#include "enrich/image.h"
#include "enrich/view.h"
#include "model/facts.h"
#include "python/offsets.h"

/* Interpreters of one process that are looked at. */
#define MAX_INTERPRETERS 32
/* struct _gc_runtime_state, 3.8 to 3.15: the heads of its lists stand before its member
 * `collecting`, which lies at 192 (3.8) to 760 bytes into it (3.14, 3.15: with statistics). */
#define BEFORE_COLLECTING 768
/* The low bits of both links are flags: _gc_prev since 3.7, _gc_next since 3.14. */
#define LINK_FLAGS 3ull

/* Does the collector's data that end at `collecting` hold that address? */
static bool holds(uint64_t collecting, uint64_t address)
{
	return address < collecting && address + BEFORE_COLLECTING >= collecting;
}

/* 3.9 and later: each interpreter has lists of its own. */
static enum gc_link of_interpreters(const struct view *v, uint64_t head)
{
	uint64_t interp;

	if (!view__word(v, v->image->python.runtime + v->off->runtime_interpreters_head, &interp))
		return GC_LINK_UNKNOWN;
	for (unsigned int i = 0; i < MAX_INTERPRETERS && interp; i++) {
		if (holds(interp + v->off->interp_gc_collecting, head))
			return GC_LINK_LIST;
		if (!view__word(v, interp + v->off->interp_next, &interp))
			return GC_LINK_UNKNOWN;
	}
	return interp ? GC_LINK_UNKNOWN : GC_LINK_OBJECT;
}

static enum gc_link link_of(const struct view *v, uint64_t head)
{
	uint64_t runtime = v->image->python.runtime;

	if (!head)
		return GC_LINK_OBJECT;
	if (!runtime)
		return GC_LINK_UNKNOWN;
	if (v->off->runtime_gc_collecting != PY_NO_OFFSET)
		return holds(runtime + v->off->runtime_gc_collecting, head) ? GC_LINK_LIST
									    : GC_LINK_OBJECT;
	return v->off->interp_gc_collecting == PY_NO_OFFSET ? GC_LINK_UNKNOWN
							    : of_interpreters(v, head);
}

void gc_list__of_process(struct view *v)
{
	struct fault_facts *f = v->facts;
	bool head = f->type_at[OBJECT_AT_GC_PREV] || f->type_at[OBJECT_AT_GC_NEXT];

	if (head && f->has_old && !f->gc_collecting && !f->free_threaded)
		f->old_link = link_of(v, f->old_value & ~LINK_FLAGS);
}
