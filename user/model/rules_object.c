/* SPDX-License-Identifier: MIT */
/*
 * Rules for objects: reference counts, GC heads, fields that CPython fills in for itself, and what
 * is left, the data of the program. Which field lies at the address is a fact (python/field.h);
 * whether the write is one that this field gets is judged here, from the instruction, the values
 * before and after it, and the bytecode that was being executed.
 */
#include <stddef.h>
#include <string.h>

#include "model/rules.h"

/* --- reference counts --- */

/* 3.14: the count is the lower half of its word. */
static uint64_t count_of(const struct fault_facts *f, uint64_t value)
{
	return f->python_version >= 0x030e ? (uint32_t)value : value;
}

/* A count that is written to: 3.12 and later leave immortal objects alone. */
static bool is_live_count(const struct fault_facts *f, uint64_t count)
{
	uint64_t limit = f->python_version >= 0x030e ? 0xc0000000ull : 1ull << 32;

	return count && count < limit;
}

static bool up_or_down(struct verdict *v, uint64_t old, uint64_t new, uint64_t by)
{
	if (new == old + by)
		return decide(v, CAUSE_REFCOUNT, CERTAINTY_PROVEN, "inc");
	return new == old - by &&decide(v, CAUSE_REFCOUNT, CERTAINTY_PROVEN, "dec");
}

/* A dead object's words are still there when its block is handed out again, or given back: there
 * was no count, or there is none from now on. */
static bool reuse(struct verdict *v, uint64_t old, uint64_t new)
{
	bool made = new == 1, freed = old == 0 && (new == 0 || new >> 32);

	return decide(v, CAUSE_ALLOCATOR, proven_if(made || freed), "reuse of a block");
}

/*
 * The count is the first word of an object. 64-bit up to 3.11; since 3.12 a 32-bit store to
 * increment and a 64-bit store to decrement; since 3.14 32 bits for both. Values decide the
 * direction; without them the address alone makes it likely.
 */
static bool count(const struct fault_facts *f, struct verdict *v)
{
	uint64_t old = count_of(f, overwritten(f)), new = count_of(f, f->new_value);

	if (f->has_new && writes_word(&f->insn) && f->insn.width >= 4 && is_live_count(f, old) &&
	    up_or_down(v, old, new, 1))
		return true;
	if (f->has_new && f->insn.kind == INSN_STORE && !is_live_count(f, old))
		return reuse(v, old, new);
	return writes_word(&f->insn) && decide(v, CAUSE_REFCOUNT, CERTAINTY_LIKELY, "");
}

bool rule__refcount(const struct fault_facts *f, struct verdict *v)
{
	const struct type_fact *type = f->type_at[OBJECT_AT_REFCOUNT];

	/* What the allocator says of the place is better than what a few words look like. */
	if (!type || f->addr % 8 || (f->object.type && f->object.field.kind != PY_FIELD_REFCOUNT))
		return false;
	v->type = type->name;
	return count(f, v);
}

/* ob_ref_shared: the count is shifted by two flag bits; written with lock add or lock cmpxchg. */
static bool shared_count(const struct fault_facts *f, struct verdict *v)
{
	if (f->has_new && f->insn.width == 8 && up_or_down(v, f->old_value, f->new_value, 4))
		return true;
	return decide(v, CAUSE_REFCOUNT, CERTAINTY_LIKELY, "");
}

/* ob_ref_local; 0 once the object is freed or its counts are merged. */
static bool local_count(const struct fault_facts *f, struct verdict *v)
{
	uint64_t old = overwritten(f);

	if (f->has_new && f->insn.width == 4 && writes_word(&f->insn)) {
		if (old && up_or_down(v, old, f->new_value, 1))
			return true;
		if (!old && f->new_value == 1)
			return decide(v, CAUSE_ALLOCATOR, CERTAINTY_PROVEN, "reuse of a block");
	}
	return decide(v, CAUSE_REFCOUNT, CERTAINTY_LIKELY, "");
}

/* --- the collector --- */

static const char *gc_detail(const struct fault_facts *f)
{
	if (f->gc_collecting)
		return "collect";
	return f->has_new && !f->new_value ? "untrack" : "track";
}

/* A link to another head, with two flags; or, while collecting, a number of references instead. */
static bool is_gc_word(uint64_t word)
{
	return word >> 47 == 0 && (word >> 34 == 0 || (word & ~3ull) % 8 == 0);
}

static bool gc_word(const struct fault_facts *f, struct verdict *v)
{
	bool fits = f->insn.width == 8 && f->addr % 8 == 0 && writes_memory(&f->insn);
	bool values = !f->has_new || is_gc_word(f->new_value);

	return decide(v, CAUSE_GC_HEADER, proven_if(fits && values), gc_detail(f));
}

/*
 * _gc_next or _gc_prev of a tracked object. Every collection writes _gc_prev of all that it visits.
 * Otherwise an object is linked into, or taken out of, the list of the youngest generation, whose
 * head lies in the interpreter's own data.
 */
bool rule__gc_header(const struct fault_facts *f, struct verdict *v)
{
	const struct type_fact *next = f->type_at[OBJECT_AT_GC_NEXT];
	const struct type_fact *type = f->type_at[OBJECT_AT_GC_PREV] ?: next;

	if (!type || f->insn.kind == INSN_VECTOR || f->insn.kind == INSN_STRING ||
	    (f->object.type && f->object.field.kind != PY_FIELD_GC))
		return false;
	v->type = type->name;
	return gc_word(f, v);
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

static bool gc_field(const struct fault_facts *f, struct verdict *v)
{
	return f->free_threaded ? gc_bits(f, v) : gc_word(f, v);
}

/* ob_tid: during a collection it holds the number of references and a link; else the owner, until
 * its count is merged into the shared one. */
static bool owner(const struct fault_facts *f, struct verdict *v)
{
	bool fits = f->insn.width == 8 && f->addr % 8 == 0 && writes_memory(&f->insn);

	if (f->gc_collecting)
		return decide(v, CAUSE_GC_HEADER, proven_if(fits), "collect");
	if (f->has_new && f->has_old && !f->old_value && f->new_value == f->thread_pointer)
		return decide(v, CAUSE_ALLOCATOR, proven_if(fits), "reuse of a block");
	return decide(v, CAUSE_REFCOUNT, proven_if(fits && f->has_new && !f->new_value), "");
}

/* --- fields that CPython fills in for itself --- */

/* The instruction writes just this field. */
static bool writes_field(const struct fault_facts *f)
{
	const struct object_fact *o = &f->object;

	return writes_memory(&f->insn) && f->insn.width == o->field.width &&
	       f->addr == o->address + o->field.offset;
}

/* Filled in: the value that means "not yet" is replaced, or another value takes its place. */
static bool lazy(const struct fault_facts *f, struct verdict *v)
{
	const struct py_field *field = &f->object.field;
	bool empty = overwritten(f) == low_bytes(field->empty, field->width);
	bool changes = f->has_new && f->new_value != overwritten(f);
	bool values = field->empty == PY_FIELD_NEVER_EMPTY
			      ? changes || f->insn.kind == INSN_LOGIC
			      : f->has_old && empty && (!f->has_new || changes);

	/* A type that has been changed loses its version: so does all that depends on it. */
	if (f->has_new && f->new_value == 0 && !empty && strcmp(field->name, "version tag") == 0)
		return decide(v, CAUSE_MUTATION, proven_if(writes_field(f)), "type changed");
	return decide(v, CAUSE_LAZY_CACHE, proven_if(writes_field(f) && values), field->name);
}

/* --- data of the program --- */

/* The bytecode being executed can change objects that were there before. */
static bool program_changes(const struct fault_facts *f)
{
	return f->opcode_kind == PY_OPCODE_STORES || f->opcode_kind == PY_OPCODE_CALLS ||
	       f->opcode_kind == PY_OPCODE_ITERATES;
}

static bool is_reference(const struct fault_facts *f)
{
	return writes_word(&f->insn) && (f->old_refers || f->new_refers);
}

static bool is_raw(const struct type_fact *type)
{
	return !strcmp(type->name, "bytes") || !strcmp(type->name, "str") ||
	       !strcmp(type->name, "bytearray");
}

static bool data(const struct fault_facts *f, struct verdict *v)
{
	const struct py_field *field = &f->object.field;
	bool bulk = f->insn.kind == INSN_VECTOR || f->insn.kind == INSN_STRING;
	const char *detail = field->kind == PY_FIELD_MANAGED && field->offset > -32 + 8
				     ? "managed dict"
			     : field->name ? field->name
					   : "field";

	if (is_raw(f->object.type) && !field->name)
		return decide(v, CAUSE_BUFFER, proven_if(bulk || f->insn.width <= 4), "");
	return decide(v, CAUSE_MUTATION, proven_if(program_changes(f) || is_reference(f)), detail);
}

/*
 * The keys table of a dict. One that instances share counts down how many more attributes it has
 * room for whenever an instance is made (3.11+): bookkeeping of the class, which is only called.
 */
static bool keys(const struct fault_facts *f, struct verdict *v)
{
	uint64_t old = overwritten(f),
		 change = old > f->new_value ? old - f->new_value : f->new_value - old;
	bool counts = f->has_new && change == 1;
	bool usable = f->object.field.name != NULL;

	if (usable && f->block.shared_keys && counts && f->opcode_kind != PY_OPCODE_STORES)
		return decide(v, CAUSE_LAZY_CACHE, proven_if(writes_field(f)), "shared keys");
	return decide(v, CAUSE_MUTATION, proven_if(program_changes(f) || is_reference(f)),
		      "entries");
}

/* A new object's type where another one's was, or a link in a list of free objects. */
static bool type_word(const struct fault_facts *f, struct verdict *v)
{
	if (f->opcode_kind == PY_OPCODE_STORES && f->new_is_type && f->old_refers)
		return decide(v, CAUSE_MUTATION, CERTAINTY_PROVEN, "__class__");
	return decide(v, CAUSE_ALLOCATOR,
		      proven_if(writes_word(&f->insn) && (f->new_is_type || f->old_refers)),
		      "reuse of a block");
}

static bool code_field(const struct fault_facts *f, struct verdict *v)
{
	const struct py_field *field = &f->object.field;
	bool bytecode = field->width == 0; /* the rest of the code object */
	bool fits = bytecode ? writes_word(&f->insn) && f->insn.width <= 8 : writes_field(f);

	return decide(v, CAUSE_INLINE_CACHE, proven_if(fits), field->name);
}

static bool field(const struct fault_facts *f, struct verdict *v)
{
	switch (f->object.field.kind) {
	case PY_FIELD_REFCOUNT:
		return f->free_threaded ? local_count(f, v) : count(f, v);
	case PY_FIELD_SHARED:
		return shared_count(f, v);
	case PY_FIELD_OWNER:
		return owner(f, v);
	case PY_FIELD_MUTEX:
		return decide(v, CAUSE_MUTATION, proven_if(writes_field(f)), "lock");
	case PY_FIELD_GC:
		return gc_field(f, v);
	case PY_FIELD_TYPE:
		return type_word(f, v);
	case PY_FIELD_LAZY:
		return lazy(f, v);
	case PY_FIELD_CODE:
		return code_field(f, v);
	default:
		return f->block.content == CONTENT_KEYS ? keys(f, v) : data(f, v);
	}
}

bool rule__object_field(const struct fault_facts *f, struct verdict *v)
{
	uint8_t kind = f->object.field.kind;
	bool own = kind == PY_FIELD_LAZY || kind == PY_FIELD_CODE;

	/* Among the variables of a library only these fields are told from variables: of its static
	 * types. */
	if (!f->object.type || kind == PY_FIELD_NONE || !writes_memory(&f->insn) ||
	    (!own && !is_memory(f)))
		return false;
	v->type = f->object.type->name;
	if (f->object.dead)
		return decide(v, CAUSE_ALLOCATOR, CERTAINTY_PROVEN, "reuse of a block");
	return field(f, v);
}

/*
 * A reference to an object, in memory that is none itself: an item of a list, a slot of a set, a
 * value of an instance.
 */
bool rule__references(const struct fault_facts *f, struct verdict *v)
{
	bool block = f->block.allocator != BLOCK_NONE && f->block.content == CONTENT_OTHER;

	return is_memory(f) && is_reference(f) &&
	       decide(v, CAUSE_MUTATION, proven_if(block || program_changes(f)), "items");
}
