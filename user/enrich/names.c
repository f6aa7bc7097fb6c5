/* SPDX-License-Identifier: MIT */
#include "enrich/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cowtrace/abi.h>

#include "base/address.h"
#include "base/hash.h"
#include "base/intern.h"
#include "enrich/image.h"
#include "enrich/regions.h"
#include "proc/maps.h"
#include "proc/mem.h"
#include "proc/root.h"
#include "proc/tree.h"
#include "python/code.h"
#include "python/object.h"
#include "symbol/symbolize.h"

/*
 * A hostile process can invent addresses without end. A full generation becomes the old one, and
 * the one before it goes: what has been handed out lately stays valid.
 */
#define MAX_ENTRIES 32768
/* How often processes are asked for one thing in vain. */
#define MAX_TRIES 8

/* Marks a key for a certain content, as opposed to whatever is at the address. */
#define CHECKED (1ull << 32)

struct key {
	uint64_t image;	       /* of symbols in files: the number of the file */
	uint64_t started, pid; /* of types: the process they were seen in */
	uint64_t address;
	uint64_t check;
};

struct entry {
	struct key key;
	bool valid;
	uint8_t tries;
	union {
		struct type_fact type;
		struct code_entry code;
		struct symbol_fact symbol;
	};
	UT_hash_handle hh;
};

/* Copies come in runs, of a few processes at a time. A power of two. */
#define LAST 16

struct table {
	unsigned int max; /* of entries, before they become old */
	struct entry *entries, *old;
	struct entry *last[LAST];
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
	names__limit(names, MAX_ENTRIES);
	names->elves = elves;
	*out = names;
	return 0;
}

void names__limit(struct names *names, unsigned int max)
{
	names->types.max = names->codes.max = names->symbols.max = max;
}

static void entries__free(struct entry *entries, bool codes)
{
	struct entry *e, *next;

	HASH_ITER (hh, entries, e, next) {
		HASH_DEL(entries, e);
		if (codes)
			py_code__free(e->code.code);
		free(e);
	}
}

static void table__free(struct table *t, bool codes)
{
	entries__free(t->entries, codes);
	entries__free(t->old, codes);
}

void names__free(struct names *names)
{
	if (!names)
		return;
	table__free(&names->types, false);
	table__free(&names->codes, true);
	table__free(&names->symbols, false);
	free(names);
}

/* Numbers of which the low bits are mostly zeroes: a multiplication for each spreads them. */
static unsigned int key__hash(const struct key *key)
{
	const uint64_t words[] = {key->image, key->started, key->pid, key->address, key->check};
	uint64_t hash = 0;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 29;
	}
	return (unsigned int)(hash ^ hash >> 32);
}

static struct entry *table__find(struct table *t, const struct key *key)
{
	size_t place = (key->address >> 4 ^ key->pid) % LAST;
	struct entry *e = t->last[place];
	unsigned int hash;

	if (e && memcmp(&e->key, key, sizeof(*key)) == 0)
		return e;
	hash = key__hash(key);
	HASH_FIND_BYHASHVALUE(hh, t->entries, key, sizeof(*key), hash, e);
	if (!e)
		HASH_FIND_BYHASHVALUE(hh, t->old, key, sizeof(*key), hash, e);
	if (e)
		t->last[place] = e;
	return e;
}

static struct entry *table__add(struct table *t, const struct key *key, bool codes)
{
	struct entry *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	if (HASH_COUNT(t->entries) >= t->max) {
		entries__free(t->old, codes);
		t->old = t->entries;
		t->entries = NULL;
		memset(t->last, 0, sizeof(t->last));
	}
	e->key = *key;
	HASH_ADD_BYHASHVALUE(hh, t->entries, key, sizeof(e->key), key__hash(key), e);
	return e;
}

static struct entry *table__need(struct table *t, const struct key *key, bool codes)
{
	return table__find(t, key) ?: table__add(t, key, codes);
}

/* --- types --- */

static struct key type__key(const struct process *process, const struct image *image,
			    uint64_t address, const uint32_t *check)
{
	return (struct key){
		.image = image->id,
		.started = process->started,
		.pid = process->pid,
		.address = address,
		.check = check ? CHECKED | *check : 0,
	};
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
	return address > 0x10000 && address < 1ull << ADDRESS_BITS && address % 8 == 0;
}

/* The process itself, then its ancestors: the first that has it; without a check, the first that
 * has anything at all at that address. */
static int type__ask(const struct process *process, const struct image *image, uint64_t address,
		     const uint32_t *check, struct py_type **out)
{
	struct mem_source all;
	int err = -ESRCH;

	process__sources(process, &all);
	for (unsigned int i = 0; i < all.n; i++) {
		struct mem_source one = mem__only(&all, i);

		err = py_type__read(&one, image->offsets, address, out);
		if (!err && check && (*out)->check != *check) {
			py_type__free(*out);
			err = -ESTALE;
		}
		if (!err || (err == -EINVAL && !check))
			break;
	}
	return err;
}

/* Known by its content, and as what was seen last at its address. */
static void type__learn(struct names *names, const struct process *process,
			const struct image *image, const struct py_type *type)
{
	const uint32_t *const checks[] = {&type->check, NULL};

	for (int i = 0; i < 2; i++) {
		struct key key = type__key(process, image, type->address, checks[i]);
		struct entry *e = table__need(&names->types, &key, false);

		if (!e)
			continue;
		e->valid = true;
		type__fill(names, &e->type, type);
	}
}

static void type__failed(struct names *names, const struct key *key, int err)
{
	struct entry *e;

	if (err == -ESRCH && !key->check)
		return;
	e = table__need(&names->types, key, false);
	if (!e)
		return;
	e->tries = e->tries < MAX_TRIES ? e->tries + 1 : MAX_TRIES;
	if (!key->check)
		e->tries = MAX_TRIES;
}

const struct type_fact *names__type(struct names *names, const struct process *process,
				    const struct image *image, uint64_t address,
				    const uint32_t *check)
{
	struct py_type *type = NULL;
	struct entry *e;
	struct key key;
	int err;

	if (!image->offsets || !type__plausible(address))
		return NULL;
	key = type__key(process, image, address, check);
	e = table__find(&names->types, &key);
	if (e && (e->valid || e->tries >= MAX_TRIES))
		return e->valid ? &e->type : NULL;
	err = type__ask(process, image, address, check, &type);
	if (err) {
		type__failed(names, &key, err);
		return NULL;
	}
	type__learn(names, process, image, type);
	py_type__free(type);
	e = table__find(&names->types, &key);
	return e && e->valid ? &e->type : NULL;
}

bool names__knows_type(struct names *names, const struct process *process,
		       const struct image *image, uint64_t address, uint32_t check)
{
	struct key key = type__key(process, image, address, &check);
	struct entry *e = table__find(&names->types, &key);

	return e && e->valid;
}

static void type__remember(struct names *names, const struct process *process,
			   const struct image *image, const struct mem_source *mem,
			   const struct ct_memory *record)
{
	struct mem_source settled = mem__settled(mem);
	struct py_type *type;
	int err = py_type__read(&settled, image->offsets, record->addr, &type);

	if (!err && type->check != record->check) {
		py_type__free(type);
		err = -ESTALE;
	}
	if (err)
		err = type__ask(process, image, record->addr, &record->check, &type);
	if (err)
		return;
	type__learn(names, process, image, type);
	py_type__free(type);
}

/* --- code objects --- */

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

/* Takes over code. */
static void code__learn(struct names *names, struct code_entry *entry, struct py_code *code)
{
	py_code__free(entry->code);
	entry->code = code;
	entry->file = intern__str(names->pool, code->file);
	entry->function = intern__str(names->pool, code->function);
	entry->missing = CT_MISSING_NONE;
}

/* The process itself, then its ancestors: the first that has that very code object. */
static int code__ask(const struct process *process, const struct image *image, uint64_t address,
		     uint32_t check, struct py_code **out)
{
	struct mem_source all;
	int err = -ESRCH, first = -ESRCH;

	process__sources(process, &all);
	for (unsigned int i = 0; i < all.n; i++) {
		struct mem_source one = mem__only(&all, i);

		err = py_code__read(&one, image->offsets, address, &check, out);
		if (!err)
			return 0;
		if (all.pids[i] == (pid_t)process->pid)
			first = err;
	}
	return first;
}

static void code__try(struct names *names, struct entry *e, const struct process *process,
		      const struct image *image)
{
	struct py_code *code;
	int err = code__ask(process, image, e->key.address, (uint32_t)e->key.check, &code);

	if (!err) {
		code__learn(names, &e->code, code);
		return;
	}
	e->tries++;
	if (!e->code.code)
		e->code.missing = missing_reason(err);
}

static bool code__complete(const struct code_entry *entry)
{
	return entry->code && !entry->code->cut;
}

const struct code_entry *names__code(struct names *names, const struct process *process,
				     const struct image *image, uint64_t address, uint32_t check)
{
	static const struct code_entry no_memory = {.missing = CT_MISSING_UNREADABLE};
	struct key key = {.image = image->id, .address = address, .check = CHECKED | check};
	struct entry *e = table__need(&names->codes, &key, true);

	if (!e)
		return &no_memory;
	if (!code__complete(&e->code) && e->tries < MAX_TRIES)
		code__try(names, e, process, image);
	return &e->code;
}

static void code__remember(struct names *names, const struct process *process,
			   const struct image *image, const struct mem_source *mem,
			   const struct ct_memory *record)
{
	struct key key = {
		.image = image->id, .address = record->addr, .check = CHECKED | record->check};
	struct entry *e = table__need(&names->codes, &key, true);
	struct py_code *code;

	if (!e || code__complete(&e->code))
		return;
	if (!e->code.code && !py_code__read(mem, image->offsets, record->addr, NULL, &code))
		code__learn(names, &e->code, code);
	if (!code__complete(&e->code))
		code__try(names, e, process, image);
}

void names__memory(struct names *names, const struct process *process, const struct image *image,
		   const struct ct_memory *record)
{
	struct mem_chunk chunks[CT_MEMORY_CHUNKS];
	struct mem_source mem;

	if (!image->offsets)
		return;
	process__sources(process, &mem);
	mem.chunks = chunks;
	for (unsigned int i = 0; i < CT_MEMORY_CHUNKS; i++)
		chunks[i] = (struct mem_chunk){.addr = record->chunks[i].addr,
					       .len = record->chunks[i].len,
					       .data = record->data + record->chunks[i].at};
	mem.n_chunks = CT_MEMORY_CHUNKS;
	if (record->kind == CT_MEMORY_TYPE)
		type__remember(names, process, image, &mem, record);
	else
		code__remember(names, process, image, &mem, record);
}

/* By the file and the place in it: two workers may have loaded different ones at one address. */
static struct key symbol__key(const struct image *image, const struct maps *maps, uint64_t ip)
{
	const struct map_entry *map = maps ? maps__find(maps, ip) : NULL;

	if (map && map->file)
		return (struct key){.image = map->file,
				    .address = ip - map->start + map->offset,
				    .check = map->perm};
	return (struct key){.image = image->id, .address = ip};
}

const struct symbol_fact *names__symbol(struct names *names, const struct image *image,
					const struct regions *regions, uint64_t ip)
{
	const struct maps *maps = regions ? regions__maps(regions) : NULL;
	struct key key = symbol__key(image, maps, ip);
	struct entry *e = table__need(&names->symbols, &key, false);
	struct native_symbol symbol;

	if (!e || e->valid)
		return e ? &e->symbol : NULL;
	symbolize(names->elves, root__fd(image->root), maps, ip, &symbol);
	e->valid = regions != NULL;
	e->symbol.name = intern__str(names->pool, symbol.function ?: symbol.name);
	e->symbol.module = intern__str(names->pool, symbol.module);
	e->symbol.is_function = symbol.function != NULL;
	return &e->symbol;
}
