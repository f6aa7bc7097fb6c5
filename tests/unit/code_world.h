/* SPDX-License-Identifier: MIT */
/*
 * A code object, with all that it points to, in this process's own memory, as any version that
 * cowtrace knows lays it out: K.f() of app.py, on line 7 and, in the second half of its 16 bytes of
 * bytecode, on line 8.
 */
#ifndef COWTRACE_TESTS_CODE_WORLD_H
#define COWTRACE_TESTS_CODE_WORLD_H

#include <stdint.h>
#include <string.h>

#include <linux/types.h>
#include <cowtrace/digest.h>
#include <cowtrace/pylayout.h>

#include "proc/mem.h"
#include "python/runtime.h"
#include "python/tables.h"

#define WORLD_READY (1ull << 12)
#define WORLD_GC    (1ull << 14)
#define WORLD_BYTES (1ull << 27)
#define WORLD_STR   (1ull << 28)
#define WORLD_TYPE  (1ull << 31)

#define WORLD_BLOCK 640
/* More than there are versions. */
#define WORLD_VERSIONS 32

struct world {
	const struct py_offsets *off;
	_Alignas(16) uint8_t metatype[WORLD_BLOCK], str_type[WORLD_BLOCK],
		bytes_type[WORLD_BLOCK], code_type[WORLD_BLOCK];
	uint8_t file[WORLD_BLOCK], name[WORLD_BLOCK], qualname[WORLD_BLOCK], table[WORLD_BLOCK],
		bytes[WORLD_BLOCK], code[WORLD_BLOCK];
};

/* All rows of the tables; returns how many. */
static inline size_t world__versions(const struct py_offsets *out[WORLD_VERSIONS])
{
	size_t n = 0;

	for (uint32_t version = 0x0300; version < 0x0310; version++) {
		const struct py_table *tables[] = {py_table__find(version),
						   py_table__find_free_threaded(version)};

		for (int i = 0; i < 2; i++)
			if (tables[i])
				out[n++] = &tables[i]->offsets;
	}
	return n;
}

static inline void put_u64(uint8_t *block, uint32_t at, uint64_t word)
{
	memcpy(block + at, &word, sizeof(word));
}

static inline void put_u32(uint8_t *block, uint32_t at, uint32_t word)
{
	memcpy(block + at, &word, sizeof(word));
}

static inline void put_pointer(uint8_t *block, uint32_t at, const void *to)
{
	put_u64(block, at, (uintptr_t)to);
}

static inline void world__type(struct world *w, uint8_t *block, const char *name, uint64_t flags)
{
	memset(block, 0, WORLD_BLOCK);
	put_pointer(block, w->off->object_type, w->metatype);
	put_pointer(block, w->off->type_name, name);
	put_u64(block, w->off->type_basicsize, w->off->object_head);
	put_u64(block, w->off->type_flags, WORLD_READY | flags);
}

/* kind, compact, ascii */
static inline uint32_t world__state(const struct world *w, uint32_t kind, bool compact, bool ascii)
{
	return (kind | compact << 3 | ascii << 4) << w->off->str_kind_shift;
}

static inline void world__str(struct world *w, uint8_t *block, const char *text)
{
	memset(block, 0, WORLD_BLOCK);
	put_pointer(block, w->off->object_type, w->str_type);
	put_u64(block, w->off->str_length, strlen(text));
	put_u64(block, w->off->str_hash, (uint64_t)strlen(text) << 32 | (uint8_t)text[0]);
	put_u32(block, w->off->str_state, world__state(w, 1, true, true));
	memcpy(block + w->off->str_ascii_data, text, strlen(text));
}

static inline void world__bytes(struct world *w, uint8_t *block, const void *data, size_t len)
{
	memset(block, 0, WORLD_BLOCK);
	put_pointer(block, w->off->object_type, w->bytes_type);
	put_u64(block, w->off->object_size, len);
	memcpy(block + w->off->bytes_data, data, len);
}

static inline bool world__inline_bytecode(const struct world *w)
{
	return w->off->version >= 0x030b;
}

static inline uint32_t world__code_head(const struct world *w)
{
	return world__inline_bytecode(w) ? w->off->code_adaptive : w->off->code_head;
}

static inline void world__code(struct world *w)
{
	static const uint8_t lnotab[] = {8, 1}, ranges[] = {8, 0, 8, 1},
			     locations[] = {0x83, 0, 0x80 | 13 << 3 | 3, 2};
	const struct py_offsets *off = w->off;
	uint8_t zeroes[16] = {};

	if (world__inline_bytecode(w))
		world__bytes(w, w->table, locations, sizeof(locations));
	else if (off->version == 0x030a)
		world__bytes(w, w->table, ranges, sizeof(ranges));
	else
		world__bytes(w, w->table, lnotab, sizeof(lnotab));
	memset(w->code, 0, WORLD_BLOCK);
	put_pointer(w->code, off->object_type, w->code_type);
	put_u32(w->code, off->code_firstlineno, 7);
	put_pointer(w->code, off->code_filename, w->file);
	put_pointer(w->code, off->code_name, w->name);
	put_pointer(w->code, off->code_linetable, w->table);
	if (!world__inline_bytecode(w)) {
		world__bytes(w, w->bytes, zeroes, sizeof(zeroes));
		put_pointer(w->code, off->code_bytes, w->bytes);
		return;
	}
	put_pointer(w->code, off->code_qualname, w->qualname);
	put_u64(w->code, off->object_size, 8);
}

static inline void world__build(struct world *w, const struct py_offsets *off)
{
	w->off = off;
	world__type(w, w->metatype, "type", WORLD_TYPE | WORLD_GC);
	world__type(w, w->str_type, "str", WORLD_STR);
	world__type(w, w->bytes_type, "bytes", WORLD_BYTES);
	world__type(w, w->code_type, "code", 0);
	put_u64(w->code_type, off->type_basicsize, world__code_head(w));
	put_u64(w->code_type, off->type_itemsize, world__inline_bytecode(w) ? 2 : 0);
	world__str(w, w->file, "app.py");
	world__str(w, w->name, "f");
	world__str(w, w->qualname, "K.f");
	world__code(w);
}

static inline const char *world__function(const struct world *w)
{
	return world__inline_bytecode(w) ? "K.f" : "f";
}

static inline uint64_t world__word(const void *address)
{
	uint64_t word;

	memcpy(&word, address, sizeof(word));
	return word;
}

/* Of a str object with one byte per character. */
static inline uint32_t world__str_check(const struct world *w, const uint8_t *str)
{
	uint64_t size = world__word(str + w->off->str_length);
	const uint8_t *data = str + w->off->str_ascii_data;
	__u64 tail[CT_STR_WORDS];

	for (int i = 0; i < CT_STR_WORDS; i++)
		tail[i] = world__word(data + (size > 32 ? size - 32 : 0) + 8 * i);
	return ct_str_digest(world__word(str + w->off->str_hash), size, tail);
}

/* The digest as the kernel side takes it, from the layout that it is given. */
static inline uint32_t world__check(const struct world *w)
{
	__u64 words[CT_CODE_WORDS] = {}, table[1 + CT_TABLE_WORDS] = {}, strings;
	const uint8_t *name, *file, *bytes;
	struct ct_pylayout lay;

	py_offsets__layout(w->off, &(struct py_runtime){}, &lay);
	for (int i = 0; i < CT_CODE_WORDS; i++)
		if (lay.code_words[i])
			words[i] = world__word(w->code + lay.code_words[i]);
	name = (const uint8_t *)(uintptr_t)world__word(w->code + lay.code_name);
	file = (const uint8_t *)(uintptr_t)world__word(w->code + lay.code_file);
	strings = world__str_check(w, name) | (uint64_t)world__str_check(w, file) << 32;
	bytes = (const uint8_t *)(uintptr_t)world__word(w->code + lay.code_table);
	table[0] = world__word(bytes + lay.bytes_size);
	for (int i = 0; i < CT_TABLE_WORDS; i++)
		table[1 + i] = world__word(bytes + lay.bytes_data + 8 * i);
	return ct_code_digest(words, strings, table);
}

static inline struct mem_chunk world__chunk(const uint8_t *block, size_t len)
{
	return (struct mem_chunk){.addr = (uintptr_t)block, .len = len, .data = block};
}

#define WORLD_CHUNKS 4

/* What the kernel side takes of it, whole. The chunks are the memory itself. */
static inline void world__chunks(const struct world *w, struct mem_chunk out[WORLD_CHUNKS])
{
	out[0] = world__chunk(w->code, 240);
	out[1] = world__chunk(w->file, WORLD_BLOCK);
	out[2] = world__chunk(world__inline_bytecode(w) ? w->qualname : w->name, WORLD_BLOCK);
	out[3] = world__chunk(w->table, WORLD_BLOCK);
}

#endif
