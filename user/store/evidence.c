/* SPDX-License-Identifier: MIT */
#include "store/evidence.h"

#include <stddef.h>

#include "model/cause.h"

/* Equal types have equal names; a process may have two of one name, which differ at most in this.
 */
static uint64_t type_word(const struct type_fact *type)
{
	uint64_t flags;

	if (!type)
		return 0;
	flags = (uint64_t)(type->has_gc | type->preheader << 1 | type->is_code << 2 |
			   type->is_type << 3);
	return (uintptr_t)type->name ^ flags << 60;
}

/* Rules look at values by their kind: nothing, a count, a pointer, all ones. */
static unsigned int value_kind(uint64_t value)
{
	if (value <= 1)
		return (unsigned int)value;
	if (value == ~0ull || value == UINT32_MAX)
		return 2;
	return value < 1u << 20 ? 3 : value >> 47 ? 4 : value >> 32 ? 5 : 6;
}

/*
 * What addresses and values of a copy look like. Only those of the first copy of a row are kept:
 * the others shall at least be of its kind, for rules that are still to come.
 */
static uint64_t shape(const struct fault_facts *f)
{
	uint64_t old = f->old_value, new = f->new_value;
	uint64_t shape = f->addr % 16;

	shape = shape << 3 | (f->has_old ? value_kind(old) : 7);
	shape = shape << 3 | (f->has_new ? value_kind(new) : 7);
	if (f->has_old && f->has_new && f->insn.width < 8) /* as rules see it */
		old = old >> 8 * (f->addr & 7) & ((1ull << 8 * f->insn.width) - 1);
	if (f->has_old && f->has_new && new - old + 16 <= 32)
		shape |= (new - old + 17) << 32;
	return shape;
}

void evidence__words(const struct fault_facts *f, const struct verdict *verdict,
		     uint64_t words[EVIDENCE_WORDS])
{
	uint64_t flags = 0, *w = words;

#define FLAG(column, member)	    flags = flags << 1 | f->member;
#define NAME(column, member, names) *w++ = f->member;
#define TEXT(column, member)	    *w++ = (uintptr_t)f->member;
#define TYPE(column, member)	    *w++ = type_word(f->member);
#define CODE(column, member)	    *w++ = (uint64_t)f->member;
#include "store/evidence.def"
	*w++ = flags;
	*w++ = shape(f);
	*w++ = verdict->cause;
	*w++ = verdict->certainty;
	*w++ = (uintptr_t)verdict->detail;
	*w++ = (uintptr_t)verdict->type;
}
