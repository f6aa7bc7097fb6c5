/* SPDX-License-Identifier: MIT */
#include "enrich/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/intern.h"
#include "enrich/image.h"
#include "enrich/regions.h"
#include "proc/mem.h"
#include "proc/root.h"
#include "proc/tree.h"
#include "python/code.h"
#include "python/object.h"
#include "symbol/symbolize.h"

/* A hostile process can invent addresses without end: a full table is emptied. */
#define MAX_ENTRIES 65536

struct key {
	const void *owner; /* process or image */
	uint64_t address;
	uint64_t check;
};

struct entry {
	struct key key;
	bool valid;
	union {
		struct type_fact type;
		struct code_entry code;
		struct symbol_fact symbol;
	};
	UT_hash_handle hh;
};

struct table {
	struct entry *entries;
	struct entry *last;
};

struct names {
	struct intern *pool;
	struct elf_cache *elves;
	struct table types, codes, symbols;
};

int names__new(struct intern *pool, struct elf_cache *elves, struct names **out)
{
	struct names *names = calloc(1, sizeof(*names));

	if (!names)
		return -ENOMEM;
	names->pool = pool;
	names->elves = elves;
	*out = names;
	return 0;
}

static void table__empty(struct table *t, bool codes)
{
	struct entry *e, *next;

	HASH_ITER (hh, t->entries, e, next) {
		HASH_DEL(t->entries, e);
		if (codes)
			py_code__free(e->code.code);
		free(e);
	}
	t->last = NULL;
}

void names__free(struct names *names)
{
	if (!names)
		return;
	table__empty(&names->types, false);
	table__empty(&names->codes, true);
	table__empty(&names->symbols, false);
	free(names);
}

static struct entry *table__find(struct table *t, const struct key *key)
{
	struct entry *e = t->last;

	if (e && memcmp(&e->key, key, sizeof(*key)) == 0)
		return e;
	HASH_FIND(hh, t->entries, key, sizeof(*key), e);
	if (e)
		t->last = e;
	return e;
}

static struct entry *table__add(struct table *t, const struct key *key)
{
	struct entry *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->key = *key;
	HASH_ADD(hh, t->entries, key, sizeof(e->key), e);
	return e;
}

static void type__fill(struct names *names, struct type_fact *fact, const struct py_type *type)
{
	fact->name = intern__str(names->pool, type->name);
	fact->has_gc = type->has_gc;
	fact->preheader = type->preheader;
	fact->is_code = strcmp(type->name, "code") == 0;
	fact->is_type = type->is_type;
}

/* Cheap tests first: most words that are looked at are no pointers to types at all. */
static bool type__plausible(uint64_t address)
{
	return address > 0x10000 && address < 1ull << 47 && address % 8 == 0;
}

const struct type_fact *names__type(struct names *names, const struct process *process,
				    const struct image *image, uint64_t address)
{
	struct key key = {.owner = process, .address = address};
	struct py_type *type = NULL;
	struct mem_source mem;
	struct entry *e;
	int err;

	if (!image->offsets || !type__plausible(address))
		return NULL;
	e = table__find(&names->types, &key);
	if (e)
		return e->valid ? &e->type : NULL;
	process__sources(process, &mem);
	err = py_type__read(&mem, image->offsets, address, &type);
	if (err == -ESRCH)
		return NULL;
	if (HASH_COUNT(names->types.entries) >= MAX_ENTRIES)
		table__empty(&names->types, false);
	e = table__add(&names->types, &key);
	if (e && !err) {
		e->valid = true;
		type__fill(names, &e->type, type);
	}
	py_type__free(type);
	return e && e->valid ? &e->type : NULL;
}

static uint8_t missing_reason(int err)
{
	switch (err) {
	case 0:
		return CT_MISSING_NONE;
	case -ESRCH:
		return CT_MISSING_PROCESS_GONE;
	case -EINVAL:
	case -ESTALE:
		return CT_MISSING_INVALID;
	default:
		return CT_MISSING_UNREADABLE;
	}
}

const struct code_entry *names__code(struct names *names, const struct process *process,
				     const struct image *image, uint64_t address, uint32_t check)
{
	static const struct code_entry no_memory = {.missing = CT_MISSING_UNREADABLE};
	struct key key = {.owner = (void *)image->id, .address = address, .check = check};
	struct entry *e = table__find(&names->codes, &key);
	struct mem_source mem;
	int err;

	if (e && e->code.code)
		return &e->code;
	if (HASH_COUNT(names->codes.entries) >= MAX_ENTRIES)
		table__empty(&names->codes, true), e = NULL;
	if (!e)
		e = table__add(&names->codes, &key);
	if (!e)
		return &no_memory;
	process__sources(process, &mem);
	err = py_code__read(&mem, image->offsets, address, &check, &e->code.code);
	e->code.missing = missing_reason(err);
	if (!err) {
		e->code.file = intern__str(names->pool, e->code.code->file);
		e->code.function = intern__str(names->pool, e->code.code->function);
	}
	return &e->code;
}

const struct symbol_fact *names__symbol(struct names *names, const struct image *image,
					const struct regions *regions, uint64_t ip)
{
	struct key key = {.owner = (void *)image->id, .address = ip};
	struct entry *e = table__find(&names->symbols, &key);
	struct native_symbol symbol;

	if (e && e->valid)
		return &e->symbol;
	if (HASH_COUNT(names->symbols.entries) >= MAX_ENTRIES)
		table__empty(&names->symbols, false), e = NULL;
	if (!e)
		e = table__add(&names->symbols, &key);
	if (!e)
		return NULL;
	symbolize(names->elves, root__fd(image->root), regions ? regions__maps(regions) : NULL, ip,
		  &symbol);
	e->valid = regions != NULL;
	e->symbol.name = intern__str(names->pool, symbol.function ?: symbol.name);
	e->symbol.module = intern__str(names->pool, symbol.module);
	e->symbol.is_function = symbol.function != NULL;
	return &e->symbol;
}
