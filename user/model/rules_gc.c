/* SPDX-License-Identifier: MIT */
/* Rules for what the garbage collector has in front of objects, or in them (free-threaded). */
#include <stddef.h>
#include <string.h>

#include "base/address.h"
#include "model/rules.h"

/* The links of a head are addresses of other heads; their low bits are flags: of _gc_prev since
 * 3.7, of _gc_next since 3.14 (Include/internal/pycore_gc.h). */
#define FLAGS 3ull

/*
 * An object is put at the end of a list: its own links are set where there were none, and the one
 * of the last object, which named the list. It is taken out: its own links are cleared, and those
 * of its neighbours, which named it, name each other.
 */
static const char *linked(const struct fault_facts *f, bool next)
{
	uint64_t old = f->old_value & ~FLAGS, new = f->new_value & ~FLAGS;

	/* The address is masked out of _gc_prev before it is cleared, or gets another one. */
	if (f->has_old && f->insn.kind == INSN_LOGIC && !next)
		return old ? "untrack" : "track";
	if (!f->has_old || !f->has_new || (!old && !new))
		return "link";
	if (!old)
		return "track";
	if (!new || !next)
		return "untrack";
	return f->old_link == GC_LINK_LIST     ? "track"
	       : f->old_link == GC_LINK_OBJECT ? "untrack"
					       : "link";
}

/* A link to another head, with two flags; or, while collecting, a number of references instead. */
static bool is_gc_word(uint64_t word)
{
	return word >> ADDRESS_BITS == 0 && (word >> 34 == 0 || (word & ~FLAGS) % 8 == 0);
}

static bool gc_word(const struct fault_facts *f, struct verdict *v, bool next)
{
	bool fits = f->insn.width == 8 && f->addr % 8 == 0 && writes_memory(&f->insn);
	bool values = !f->has_new || is_gc_word(f->new_value);

	return decide(v, CAUSE_GC_HEADER, proven_if(fits && values),
		      f->gc_collecting ? "collect" : linked(f, next));
}

/* _gc_next or _gc_prev of a tracked object. Every collection writes _gc_prev of all that it visits.
 */
bool rule__gc_header(const struct fault_facts *f, struct verdict *v)
{
	const struct type_fact *prev = f->type_at[OBJECT_AT_GC_PREV];
	const struct type_fact *type = prev ?: f->type_at[OBJECT_AT_GC_NEXT];

	if (!type || is_bulk(&f->insn) || f->insn.width < 8 ||
	    (f->object.type && f->object.field.kind != PY_FIELD_GC))
		return false;
	v->type = type->name;
	return gc_word(f, v, !prev);
}

/* ob_gc_bits: bit 0 is "tracked" (3.13t to 3.15t, Include/internal/pycore_gc.h). */
static bool gc_bits(const struct fault_facts *f, struct verdict *v)
{
	const char *detail = f->gc_collecting			 ? "collect"
			     : f->has_new && !(f->new_value & 1) ? "untrack"
								 : "track";

	return decide(v, CAUSE_GC_HEADER, proven_if(f->insn.width == 1 && writes_memory(&f->insn)),
		      detail);
}

bool gc__field(const struct fault_facts *f, struct verdict *v)
{
	const char *name = f->object.field.name;

	return f->free_threaded ? gc_bits(f, v) : gc_word(f, v, name && !strcmp(name, "_gc_next"));
}

/* ob_tid: during a collection it holds the number of references and a link; else the owner, until
 * its count is merged into the shared one. */
bool gc__owner(const struct fault_facts *f, struct verdict *v)
{
	bool fits = f->insn.width == 8 && f->addr % 8 == 0 && writes_memory(&f->insn);

	if (f->gc_collecting)
		return decide(v, CAUSE_GC_HEADER, proven_if(fits), "collect");
	if (f->has_new && f->new_value == f->thread_pointer)
		return decide(v, CAUSE_ALLOCATOR, proven_if(fits), "reuse of a block");
	return decide(v, CAUSE_REFCOUNT, proven_if(fits && f->has_new && !f->new_value), "");
}
