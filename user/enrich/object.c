/* SPDX-License-Identifier: MIT */
#include "enrich/object.h"

#include <string.h>

#include <cowtrace/abi.h>

#include "base/address.h"
#include "enrich/block.h"
#include "enrich/gc_list.h"
#include "enrich/image.h"
#include "enrich/names.h"
#include "enrich/view.h"
#include "model/facts.h"
#include "proc/tree.h"
#include "python/field.h"
#include "python/keys.h"
#include "python/offsets.h"
#include "python/opcode.h"

/* Objects and GC heads are aligned to 16 bytes (pymalloc since 3.7, malloc always). */
#define OBJECT_ALIGN 16
/* Two words of the debug hooks stand before each block that they hand out: its size, big-endian,
 * and a byte 'o', 'm' or 'r' with seven 0xfd behind it (Objects/obmalloc.c, 3.8 to 3.15). */
#define DEBUG_HEAD 16
/* Words of the window that an ancestor may have changed without having given the memory away. */
#define MAX_DIFFER 2

static const struct type_fact keys_type = {.name = PY_FIELD_KEYS};

/* --- what the window alone shows --- */

static const struct {
	enum object_place place;
	int offset; /* of the object from addr */
} places[] = {
	{OBJECT_AT_REFCOUNT, 0}, {OBJECT_AT_GC_PREV, 8}, {OBJECT_AT_GC_NEXT, 16},
	{OBJECT_AT_PRE_24, 24},	 {OBJECT_AT_PRE_32, 32},
};

/* An object with a GC head is no candidate for being one without, and the other way round. */
static bool place__fits(const struct view *v, enum object_place place, const struct type_fact *type)
{
	/* The static objects of a program or library have no GC heads. */
	if (place != OBJECT_AT_REFCOUNT && v->facts->region.kind == REGION_DATA)
		return false;
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

static const struct type_fact *type_in_window(const struct view *v, size_t word)
{
	const struct ct_copy *copy = v->copy;
	bool checked = word == copy->type_word;

	return names__type(v->names, v->process, v->image, v->facts->window[word],
			   checked ? &copy->type_check : NULL);
}

static void fill_types(struct view *v)
{
	struct fault_facts *f = v->facts;
	uint32_t ob_type = v->off->object_type;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		uint64_t object = (f->addr & ~7ull) + places[i].offset;
		size_t word = (CT_WINDOW_BEFORE + places[i].offset + ob_type) / 8;
		const struct type_fact *type;

		if (object % OBJECT_ALIGN || word >= CT_WINDOW_WORDS)
			continue;
		type = type_in_window(v, word);
		if (type && place__fits(v, places[i].place, type))
			f->type_at[places[i].place] = type;
		if (f->type_at[OBJECT_AT_REFCOUNT] && f->addr % 8 == 0)
			return; /* the common case: no need to look further */
	}
}

/* --- the object --- */

/* A count of 0, or none at all: a freed object keeps all of its words but the first, a link to the
 * next free block, or 0. */
static bool is_count(const struct view *v, uint64_t word)
{
	/* 3.14: flags in the upper half, which user addresses do not have */
	return v->off->version >= 0x030e ? (uint32_t)word && word >> 32 != 0x7f
					 : word && !(word >> 32);
}

/*
 * An ancestor runs on, and may have other things at that address by now. What the window shows was
 * the same in both at the fork; single words, as counts, may have changed since.
 */
static bool ancestor_agrees(const struct view *v)
{
	uint64_t from = (v->facts->addr & ~7ull) - CT_WINDOW_BEFORE, words[CT_WINDOW_WORDS];
	unsigned int differ = 0;

	if (!v->facts->has_window || !v->before.n ||
	    mem__read(&v->before, from, words, sizeof(words)))
		return false;
	for (size_t i = 0; i < CT_WINDOW_WORDS; i++)
		differ += words[i] != v->facts->window[i];
	return differ <= MAX_DIFFER;
}

/* Has what is said of the place been read in an ancestor that has something else there? */
static bool is_doubtful(const struct view *v)
{
	const struct object_fact *o = &v->facts->object;
	struct mem_source self = v->mem;
	uint64_t head = o->type == &keys_type ? PY_KEYS_HEAD : v->off->object_head, word;

	/* All that says so is in the window. */
	if (o->type && view__in_window(v, o->address) && view__in_window(v, o->address + head - 8))
		return false;
	self.n = v->mem.n - v->before.n;
	if (self.n && mem__read_u64(&self, v->facts->addr & ~7ull, &word) == 0)
		return false;
	return !ancestor_agrees(v);
}

/*
 * Is the memory only kept for the next object, or has it been given to a new one since the fork?
 * Where the window does not reach, an ancestor shows what was there.
 */
static bool is_dead(const struct view *v, const struct type_fact *type, uint64_t object)
{
	const struct type_fact *past;
	uint64_t word;

	if (v->facts->free_threaded)
		return false;
	if (view__in_window(v, object) && view__word(v, object, &word) && !is_count(v, word))
		return true;
	/* The page of its head may have been written to before this one. */
	if (object >> 12 == v->facts->addr >> 12 && view__in_window(v, object))
		return false;
	if (!ancestor_agrees(v) || !view__word_before(v, object, &word))
		return false;
	if (!is_count(v, word))
		return true;
	past = view__word_before(v, object + v->off->object_type, &word)
		       ? names__type(v->names, v->process, v->image, word, NULL)
		       : type;
	return past != type;
}

static void set_object(struct view *v, const struct type_fact *type, uint64_t address)
{
	struct py_field_type shape = {
		.name = type->name,
		.is_type = type->is_type,
		.has_gc = type->has_gc,
		.preheader = type->preheader,
	};
	struct object_fact *o = &v->facts->object;
	uint64_t state;

	if (strcmp(type->name, "str") == 0 && view__word(v, address + v->off->str_state, &state))
		shape.ascii = state >> (v->off->str_kind_shift + 3) &
			      state >> (v->off->str_kind_shift + 4) & 1;
	o->type = type;
	o->address = address;
	o->field = py_field__at(v->off, &shape, (int64_t)(v->facts->addr - address));
	o->dead = type != &keys_type && is_dead(v, type, address);
}

/* What stands in front of an object of that type, if it is the first thing in its block. */
static uint64_t room_before(const struct view *v, const struct type_fact *type)
{
	uint64_t gc = type->has_gc && !v->facts->free_threaded ? 16 : 0;

	return gc + (type->preheader ? 16 : 0);
}

static bool object_at(struct view *v, uint64_t start)
{
	for (uint64_t before = 0; before <= 32; before += 16) {
		const struct type_fact *type;
		uint64_t word;

		if (before + v->off->object_head > v->facts->block.size ||
		    !view__word(v, start + before + v->off->object_type, &word))
			continue;
		type = names__type(v->names, v->process, v->image, word, NULL);
		if (!type || room_before(v, type) != before)
			continue;
		set_object(v, type, start + before);
		return true;
	}
	return false;
}

/* room: bytes from start to the end of its block. */
static bool keys_at(struct view *v, uint64_t start, uint64_t room)
{
	uint64_t words[PY_KEYS_HEAD / 8];
	struct py_keys keys;

	for (size_t i = 0; i < PY_KEYS_HEAD / 8; i++)
		if (!view__word(v, start + 8 * i, &words[i]))
			return false;
	if (!py_keys__parse(v->off, (const uint8_t *)words, &keys) || keys.bytes > room)
		return false;
	set_object(v, &keys_type, start);
	v->facts->block.content = CONTENT_KEYS;
	v->facts->block.shared_keys = keys.shared;
	return true;
}

/* What lies in a block that is in use. */
static void fill_content(struct view *v)
{
	struct block_fact *b = &v->facts->block;
	uint64_t word, start = b->start;

	/* Twice in what was too large for pymalloc: its own hooks and those of the raw domain. */
	for (int i = 0; i < 2; i++)
		if (view__word(v, start + 8, &word) && (word & ~0xffull) == DEBUG_PAD)
			start += DEBUG_HEAD;
	if (!view__word(v, start, &word))
		b->content = CONTENT_UNKNOWN;
	else if (object_at(v, start))
		b->content = CONTENT_OBJECT;
	else if (!keys_at(v, start, b->size))
		b->content = CONTENT_OTHER;
	/* No live object and no link either: the last block of a free list, or one never used. */
	if (b->allocator == BLOCK_PYMALLOC && view__in_window(v, b->start) &&
	    (b->content == CONTENT_OTHER || v->facts->object.dead))
		b->is_free = view__word(v, b->start, &word) && word == 0;
}

/*
 * Without a block: the instruction's own idea of where the object starts. `mov [r+16], x` writes
 * the field at 16 of what r points to.
 */
static void object_by_displacement(struct view *v)
{
	const struct fault_facts *f = v->facts;
	const struct type_fact *type;
	uint64_t object = f->addr - f->insn.disp, word;

	if (!f->insn.has_base || f->insn.has_index || f->insn.stack_relative || object % 8 ||
	    f->insn.disp < 0 || f->insn.disp > 1024)
		return;
	if (keys_at(v, object, UINT64_MAX) || !view__word(v, object + v->off->object_type, &word))
		return;
	type = names__type(v->names, v->process, v->image, word, NULL);
	if (!type || !view__word(v, object, &word) || (!f->free_threaded && !is_count(v, word)))
		return;
	set_object(v, type, object);
}

/* A code object on the stack has been found already: only its field is missing. */
static void object_by_stack(struct view *v)
{
	uint64_t address = v->facts->addr - v->facts->code.offset, word;
	const struct type_fact *type;

	if (!view__word(v, address + v->off->object_type, &word))
		return;
	type = names__type(v->names, v->process, v->image, word, NULL);
	if (type && type->is_code)
		set_object(v, type, address);
}

/* Free-threaded: the fields of the head lie 0, 8 and 16 bytes into it, the type 24. */
static void object_by_window(struct view *v)
{
	static const int heads[] = {0, 8, 16, -8, -16};
	struct fault_facts *f = v->facts;

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		uint64_t object = (f->addr & ~7ull) - heads[i];
		size_t word = (CT_WINDOW_BEFORE - heads[i] + v->off->object_type) / 8;
		const struct type_fact *type;

		if (object % OBJECT_ALIGN || word >= CT_WINDOW_WORDS)
			continue;
		type = type_in_window(v, word);
		if (!type || (heads[i] < 0 && !type->preheader))
			continue;
		set_object(v, type, object);
		return;
	}
}

/* --- values --- */

static const struct type_fact *referred(const struct view *v, uint64_t value)
{
	uint64_t type;

	if (value % 8 || value < 0x10000 || value >> ADDRESS_BITS ||
	    !view__word(v, value + v->off->object_type, &type))
		return NULL;
	return names__type(v->names, v->process, v->image, type, NULL);
}

static void fill_references(struct view *v)
{
	struct fault_facts *f = v->facts;
	const struct type_fact *type;

	if (f->insn.width != 8 || f->addr % 8)
		return;
	f->old_refers = f->has_old && referred(v, f->old_value);
	type = f->has_new ? referred(v, f->new_value) : NULL;
	f->new_refers = type != NULL;
	f->new_is_type = type && type->is_type;
}

/* --- the view --- */

bool view__in_window(const struct view *v, uint64_t address)
{
	uint64_t from = (v->facts->addr & ~7ull) - CT_WINDOW_BEFORE;

	return v->facts->has_window && address % 8 == 0 && address >= from &&
	       address < from + 8 * CT_WINDOW_WORDS;
}

bool view__word(const struct view *v, uint64_t address, uint64_t *out)
{
	uint64_t from = (v->facts->addr & ~7ull) - CT_WINDOW_BEFORE;

	if (!view__in_window(v, address))
		return mem__read_u64(&v->mem, address, out) == 0;
	*out = v->facts->window[(address - from) / 8];
	return true;
}

bool view__word_before(const struct view *v, uint64_t address, uint64_t *out)
{
	return v->before.n && mem__read_u64(&v->before, address, out) == 0;
}

/* Without memory to read: most copies are explained by their window, and there are many of them. */
static void view__init(struct view *v, struct names *names, const struct process *p,
		       const struct image *image, const struct ct_copy *copy, struct fault_facts *f)
{
	v->names = names;
	v->process = p;
	v->image = image;
	v->off = image->offsets;
	v->copy = copy;
	v->facts = f;
	v->mem.n = v->mem.n_chunks = v->before.n = v->before.n_chunks = 0;
}

static void view__open(struct view *v)
{
	process__sources(v->process, &v->mem);
	v->mem.since = v->copy->time; /* then it was copied: any time after it is as good */
	v->before = v->mem;
	if (v->before.n && v->before.pids[0] == (pid_t)v->process->pid) {
		v->before.n--;
		memmove(v->before.pids, v->before.pids + 1, sizeof(v->before.pids) - sizeof(pid_t));
	}
}

/* --- all of it --- */

static bool is_one_step(const struct fault_facts *f)
{
	uint64_t old = f->old_value >> (8 * (f->addr & 7)) & 0xffffffff;

	return f->insn.width == 4 && f->has_new &&
	       (f->new_value == old + 1 || f->new_value == old - 1);
}

/* Free-threaded: the window shows an object, and the write is one that this place of it gets. */
static bool is_explained_head(const struct view *v)
{
	const struct fault_facts *f = v->facts;

	if (!f->object.type)
		return false;
	switch (f->object.field.kind) {
	case PY_FIELD_REFCOUNT:
		return is_one_step(f);
	case PY_FIELD_GC:
		return f->insn.width == 1;
	case PY_FIELD_SHARED:
		return f->insn.lock;
	default:
		return false;
	}
}

/* The window shows an object of which addr is the count, and a count is there; or its GC head. */
static bool is_explained(const struct view *v)
{
	const struct fault_facts *f = v->facts;

	if (f->free_threaded)
		return is_explained_head(v);
	if (f->insn.kind == INSN_VECTOR || f->insn.kind == INSN_STRING)
		return false;
	if (f->type_at[OBJECT_AT_REFCOUNT] && f->addr % 8 == 0 && is_count(v, f->old_value))
		return true;
	return f->insn.width == 8 &&
	       (f->type_at[OBJECT_AT_GC_PREV] || f->type_at[OBJECT_AT_GC_NEXT]);
}

static void find_in_memory(struct view *v)
{
	struct fault_facts *f = v->facts;
	struct object_fact by_window = f->object;

	block__of_process(v);
	if (f->block.header || f->block.is_free || f->interpreter)
		return;
	if (f->block.allocator && !f->code.found) {
		f->object = (struct object_fact){};
		fill_content(v);
		if (f->block.content == CONTENT_UNKNOWN)
			f->object = by_window;
	}
	if (f->block.content == CONTENT_UNKNOWN && !f->object.type)
		object_by_displacement(v);
	f->doubtful = is_doubtful(v);
	fill_references(v);
}

void object__find(struct names *names, struct block_cache *blocks, const struct process *p,
		  const struct image *image, const struct ct_copy *copy, struct fault_facts *f)
{
	bool memory = f->region.kind == REGION_ANON || f->region.kind == REGION_HEAP;
	struct view v;

	view__init(&v, names, p, image, copy, f);
	v.blocks = blocks;
	if (f->has_opcode)
		f->opcode_kind = py_opcode__kind(f->python_version, f->opcode, f->oparg);
	if (f->has_window && f->free_threaded)
		object_by_window(&v);
	else if (f->has_window)
		fill_types(&v);
	if (f->type_at[OBJECT_AT_GC_PREV] || f->type_at[OBJECT_AT_GC_NEXT])
		view__open(&v); /* for the link that its head had */
	gc_list__of_process(&v);
	block__of_pool(&v);
	if (f->kernel || f->datastack || f->block.header || f->block.is_free || is_explained(&v))
		return;
	view__open(&v);
	if (f->code.found && !f->object.type)
		object_by_stack(&v);
	if (memory)
		find_in_memory(&v);
	else if (f->region.kind == REGION_DATA && !f->object.type)
		object_by_displacement(&v);
}
