/* SPDX-License-Identifier: MIT */
/*
 * Rules for objects: reference counts, GC heads, fields that CPython fills in for itself, and what
 * is left, the data of the program. Which field lies at the address is a fact (python/field.h);
 * whether the write is one that this field gets is judged here, from the instruction, the values
 * before and after it, and the bytecode that was being executed.
 */
#include <stddef.h>
#include <string.h>

#include "base/address.h"
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

/* Compilers make one addition of several counts of the same object. */
#define MAX_STEPS 16

static bool up_or_down(struct verdict *v, uint64_t old, uint64_t new, uint64_t unit)
{
	uint64_t up = new - old, down = old - new;

	if (up && up % unit == 0 && up <= MAX_STEPS * unit)
		return decide(v, CAUSE_REFCOUNT, CERTAINTY_PROVEN, "inc");
	return down && down % unit == 0 && down <= MAX_STEPS * unit &&
	       decide(v, CAUSE_REFCOUNT, CERTAINTY_PROVEN, "dec");
}

/* A count of 1 where there was none, but 0 or a link to the next free block. */
static bool is_made(const struct fault_facts *f)
{
	return f->new_value == 1 && (overwritten(f) == 0 || overwritten(f) >> 20);
}

/* A link, or nothing, where the count had come down to 0. */
static bool is_freed(const struct fault_facts *f)
{
	return overwritten(f) == 0 && (f->new_value == 0 || f->new_value >> 20);
}

/*
 * The count is the first word of an object. 64-bit up to 3.11; since 3.12 a 32-bit store to
 * increment and a 64-bit store to decrement; since 3.14 32 bits for both. Values decide the
 * direction; without them the address alone makes it likely. A dead object's words are still there
 * when its block is handed out again, or given back.
 */
static bool count(const struct fault_facts *f, struct verdict *v)
{
	uint64_t old = count_of(f, overwritten(f)), new = count_of(f, f->new_value);
	bool store = f->has_new && f->insn.kind == INSN_STORE;

	if (f->has_new && writes_word(&f->insn) && f->insn.width >= 4 && is_live_count(f, old) &&
	    up_or_down(v, old, new, 1))
		return true;
	if (store && (is_made(f) || is_freed(f)))
		return decide(v, CAUSE_ALLOCATOR, CERTAINTY_PROVEN, "reuse of a block");
	if (store && !is_live_count(f, old))
		return decide(v, CAUSE_ALLOCATOR, CERTAINTY_LIKELY, "reuse of a block");
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

/* --- fields that CPython fills in for itself --- */

/* The instruction writes just this field, or bits in its first bytes. */
static bool writes_field(const struct fault_facts *f)
{
	const struct object_fact *o = &f->object;

	bool bits = f->insn.kind == INSN_LOGIC && f->insn.width <= o->field.width;

	return writes_memory(&f->insn) && (bits || f->insn.width == o->field.width) &&
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

	/* What has been changed loses its version; it gets a new one when that is next wanted. */
	if (f->has_new && f->new_value == 0 && field->empty == 0 && field->width == 4)
		return decide(v, CAUSE_MUTATION, proven_if(writes_field(f)), field->name);
	return decide(v, CAUSE_LAZY_CACHE, proven_if(writes_field(f) && values), field->name);
}

/*
 * The hash of a frozenset, by the window alone: by the time that the process is asked it may be
 * gone. In front of it are the members used, mask and table of PySetObject (3.8 to 3.15); the mask
 * is one less than a power of two, and a small table follows the hash in the object itself.
 */
bool rule__frozenset(const struct fault_facts *f, struct verdict *v)
{
	const uint64_t *w = f->window;
	uint64_t used = w[0], mask = w[1], table = w[2], small = f->addr + 16;
	bool set = mask >= 7 && !(mask & (mask + 1)) && used <= mask &&
		   (mask == 7 ? table == small
			      : table >> 12 && !(table >> ADDRESS_BITS) && table % 8 == 0);

	if (!f->python || f->free_threaded || !f->has_window || !is_memory(f) || f->addr % 16 ||
	    f->insn.kind != INSN_STORE || f->insn.width != 8 || f->insn.disp != 48 || !f->has_new ||
	    overwritten(f) != ~0ull || f->new_value == ~0ull || !set)
		return false;
	v->type = "frozenset";
	return decide(v, CAUSE_LAZY_CACHE, CERTAINTY_PROVEN, "hash");
}

/* --- data of the program --- */

/* Functions of the interpreter that change the object they are called for: by the starts of names
 * that are exported by each version. */
static bool is_mutator(const struct fault_facts *f)
{
	static const char *const starts[] = {
		"PyDict_Set",
		"PyDict_Del",
		"PyDict_Pop",
		"PyDict_Merge",
		"_PyDict_Set",
		"_PyDict_Del",
		"_PyDict_Pop",
		"PyList_Append",
		"PyList_Set",
		"PyList_Insert",
		"PyList_Sort",
		"PyList_Reverse",
		"PySet_Add",
		"PySet_Discard",
		"PySet_Pop",
		"PyCell_Set",
		"PyObject_Set",
		"PyObject_DelItem",
		"_PyObject_GenericSet",
		"PyByteArray_Resize",
	};

	for (size_t i = 0; f->symbol_is_function && i < sizeof(starts) / sizeof(starts[0]); i++)
		if (strncmp(f->symbol, starts[i], strlen(starts[i])) == 0)
			return true;
	return false;
}

/* The instruction takes the object's address for a structure, and addr is a member of it. */
static bool is_member(const struct fault_facts *f)
{
	const struct insn *i = &f->insn;

	return i->has_base && !i->has_index && !i->stack_relative && f->object.type &&
	       f->addr - i->disp == f->object.address;
}

/* The bytecode being executed can change objects that were there before, or the function is one
 * that does. A call may do anything: there the instruction must know of the object. */
static bool program_changes(const struct fault_facts *f)
{
	return f->opcode_kind == PY_OPCODE_STORES || f->opcode_kind == PY_OPCODE_ITERATES ||
	       (f->opcode_kind == PY_OPCODE_CALLS && is_member(f)) || is_mutator(f);
}

/* No program has objects in its first 4 MiB. */
static bool may_refer(uint64_t word)
{
	return word == 0 || (word % 8 == 0 && word >= 0x400000 && !(word >> ADDRESS_BITS));
}

/* A reference is put there, or one is taken away. What was there may be left over from an object
 * that is gone: a number in its place is none. */
static bool is_reference(const struct fault_facts *f)
{
	bool fits = !f->has_new || may_refer(f->new_value);

	return writes_word(&f->insn) && (f->new_refers || (f->old_refers && fits));
}

static bool is_raw(const struct type_fact *type)
{
	return !strcmp(type->name, "bytes") || !strcmp(type->name, "str") ||
	       !strcmp(type->name, "bytearray");
}

/* Nobody changes one of these: it is being made. */
static bool is_immutable(const struct type_fact *type)
{
	return !strcmp(type->name, "int") || !strcmp(type->name, "float") ||
	       !strcmp(type->name, "complex") || !strcmp(type->name, "tuple") ||
	       !strcmp(type->name, "slice");
}

/* 3.12 and later: reading a global makes the interpreter a watcher of its dict, one of 8 bits. */
static bool is_watcher(const struct fault_facts *f)
{
	uint64_t bits = f->new_value ^ overwritten(f);
	bool one = f->has_new && bits && bits < 256 && !(bits & (bits - 1));

	return f->python_version >= 0x030c && !strcmp(f->object.type->name, "dict") &&
	       f->object.field.name && !strcmp(f->object.field.name, "version") &&
	       (one || f->insn.kind == INSN_LOGIC);
}

/* -1 is what a hash is until it is wanted, in all types that keep one (datetime, weak references);
 * other fields may be -1 as well. */
static bool is_hash(const struct fault_facts *f)
{
	return f->insn.width == 8 && f->insn.kind == INSN_STORE && f->has_old && f->has_new &&
	       overwritten(f) == ~0ull && f->opcode_kind != PY_OPCODE_STORES;
}

static bool data(const struct fault_facts *f, struct verdict *v)
{
	const struct py_field *field = &f->object.field;
	const char *detail = field->name ? field->name : "field";

	if (is_watcher(f))
		return decide(v, CAUSE_LAZY_CACHE, proven_if(writes_field(f)), "dict watcher");
	if (is_hash(f))
		return decide(v, CAUSE_LAZY_CACHE, CERTAINTY_LIKELY, "hash");

	if (is_immutable(f->object.type) && field->kind != PY_FIELD_MANAGED)
		return decide(v, CAUSE_ALLOCATOR, proven_if(writes_memory(&f->insn)),
			      "reuse of a block");
	if (is_raw(f->object.type) && (!field->name || is_bulk(&f->insn)))
		return decide(v, CAUSE_BUFFER, proven_if(is_bulk(&f->insn) || f->insn.width <= 4),
			      "");
	return decide(v, CAUSE_MUTATION, proven_if(program_changes(f) || is_reference(f)), detail);
}

/* An entry's number where there was none (-1), or one that has been deleted (-2). */
static bool is_index(const struct fault_facts *f)
{
	uint64_t none = low_bytes(~0ull, f->insn.width);

	return f->has_new && f->insn.width <= 4 && f->new_value < none - 1 &&
	       overwritten(f) >= none - 1;
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
	return decide(v, CAUSE_MUTATION,
		      proven_if(program_changes(f) || is_reference(f) || is_index(f)), "entries");
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
		return f->object.field.width == 4 ? local_count(f, v) : count(f, v);
	case PY_FIELD_SHARED:
		return shared_count(f, v);
	case PY_FIELD_OWNER:
		return gc__owner(f, v);
	case PY_FIELD_MUTEX:
		return decide(v, CAUSE_MUTATION, proven_if(writes_field(f)), "lock");
	case PY_FIELD_GC:
		return gc__field(f, v);
	case PY_FIELD_TYPE:
		return type_word(f, v);
	case PY_FIELD_LAZY:
		return is_bulk(&f->insn) ? data(f, v) : lazy(f, v);
	case PY_FIELD_CODE:
		return code_field(f, v);
	default:
		return f->block.content == CONTENT_KEYS ? keys(f, v) : data(f, v);
	}
}

/* Its fields are written one by one, never with bytes that are copied. */
static bool is_head(uint8_t kind)
{
	return kind != PY_FIELD_LAZY && kind != PY_FIELD_CODE && kind != PY_FIELD_DATA &&
	       kind != PY_FIELD_MANAGED;
}

/* The words before the write show it. What an ancestor has there may be its own doing. */
static bool is_dead_for_certain(const struct fault_facts *f)
{
	return f->has_window && f->object.address + 24 >= (f->addr & ~7ull) &&
	       f->object.address <= (f->addr & ~7ull) + 40;
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
	if (is_bulk(&f->insn) && is_head(kind) && !f->object.dead)
		return false;
	if (f->object.dead)
		return decide(v, CAUSE_ALLOCATOR, proven_if(is_dead_for_certain(f)),
			      "reuse of a block");
	return field(f, v);
}

/* All around the place are pointers into the same part of memory as the one that is written. */
static bool is_among_pointers(const struct fault_facts *f)
{
	uint64_t part = f->new_value >> 32;

	if (!f->has_window || !f->has_new || !f->new_value || !may_refer(f->new_value))
		return false;
	for (size_t i = 1; i <= 5; i++)
		if (!f->window[i] || !may_refer(f->window[i]) || f->window[i] >> 32 != part)
			return false;
	return true;
}

/*
 * A reference to an object, in memory that is none itself: an item of a list, a slot of a set, a
 * value of an instance.
 */
bool rule__references(const struct fault_facts *f, struct verdict *v)
{
	bool block = f->block.allocator != BLOCK_NONE && f->block.content == CONTENT_OTHER;
	/* what was there, and what is written */
	bool both = (f->old_refers && f->new_refers) || is_among_pointers(f);

	return is_memory(f) && is_reference(f) &&
	       decide(v, CAUSE_MUTATION, proven_if(block || both || program_changes(f)), "items");
}

/* Nothing is known of the place, but the function is one that changes objects. */
bool rule__mutator(const struct fault_facts *f, struct verdict *v)
{
	return is_memory(f) && is_mutator(f) && writes_word(&f->insn) &&
	       decide(v, CAUSE_MUTATION, CERTAINTY_LIKELY, "");
}
