/* SPDX-License-Identifier: MIT */
/* What the rules of cause.c and of the files beside it share. Private to model. */
#ifndef COWTRACE_MODEL_RULES_H
#define COWTRACE_MODEL_RULES_H

#include <stdbool.h>

#include "model/cause.h"
#include "model/facts.h"

/* A rule fills the verdict and returns true, or leaves it alone. The first that fits decides. */
typedef bool (*rule_fn)(const struct fault_facts *f, struct verdict *v);

static inline bool decide(struct verdict *v, enum cause cause, enum certainty certainty,
			  const char *detail)
{
	v->cause = cause;
	v->certainty = certainty;
	v->detail = detail;
	return true;
}

static inline enum certainty proven_if(bool evidence)
{
	return evidence ? CERTAINTY_PROVEN : CERTAINTY_LIKELY;
}

/* The instruction writes memory in a way that a single field is written: a store or an addition. */
static inline bool writes_word(const struct insn *i)
{
	return i->kind == INSN_STORE || i->kind == INSN_ADD || i->kind == INSN_SUB ||
	       i->kind == INSN_INC || i->kind == INSN_DEC || i->kind == INSN_XCHG ||
	       i->kind == INSN_XADD;
}

/* Whole vectors and strings of bytes. */
static inline bool is_bulk(const struct insn *i)
{
	return i->kind == INSN_VECTOR || i->kind == INSN_STRING;
}

static inline bool writes_memory(const struct insn *i)
{
	return i->kind != INSN_UNKNOWN && i->kind != INSN_READ;
}

static inline uint64_t low_bytes(uint64_t value, unsigned int bytes)
{
	return bytes >= 8 ? value : value & ((1ull << (8 * bytes)) - 1);
}

/* What the instruction overwrote: as many bytes as it writes. Up to the end of the word. */
static inline uint64_t overwritten(const struct fault_facts *f)
{
	return low_bytes(f->old_value >> (8 * (f->addr & 7)), f->insn.width);
}

static inline bool is_memory(const struct fault_facts *f)
{
	return f->region.kind == REGION_ANON || f->region.kind == REGION_HEAP;
}

/* rules_gc.c: GC heads; the fields of an object that are the collector's */
bool rule__gc_header(const struct fault_facts *f, struct verdict *v);
bool gc__field(const struct fault_facts *f, struct verdict *v);
bool gc__owner(const struct fault_facts *f, struct verdict *v);

/* rules_object.c: heads and fields of objects */
bool rule__refcount(const struct fault_facts *f, struct verdict *v);
bool rule__frozenset(const struct fault_facts *f, struct verdict *v);
bool rule__object_field(const struct fault_facts *f, struct verdict *v);
/* ... and what belongs to objects without being in them: items of lists, entries of dicts */
bool rule__references(const struct fault_facts *f, struct verdict *v);
bool rule__mutator(const struct fault_facts *f, struct verdict *v);

/* rules_memory.c: allocators and raw memory */
bool rule__pool_header(const struct fault_facts *f, struct verdict *v);
bool rule__free_pool(const struct fault_facts *f, struct verdict *v);
bool rule__free_block(const struct fault_facts *f, struct verdict *v);
bool rule__arena(const struct fault_facts *f, struct verdict *v);
bool rule__debug_hooks(const struct fault_facts *f, struct verdict *v);
bool rule__malloc(const struct fault_facts *f, struct verdict *v);
bool rule__buffer(const struct fault_facts *f, struct verdict *v);
bool rule__library_memory(const struct fault_facts *f, struct verdict *v);
bool rule__no_python(const struct fault_facts *f, struct verdict *v);

#endif
