// SPDX-License-Identifier: MIT
// link: user/event/decode.c user/python/code.c user/python/object.c user/python/lnotab.c
// link: user/python/location_table.c user/python/layout.c user/python/tables.c user/proc/mem.c
// link: user/proc/mem_cache.c user/proc/mem_pages.c user/base/utf8.c
/*
 * Any bytes as a record; and the pieces of memory in one that is believed, parsed for each version.
 * The input is what the record begins with, the rest of it is its last byte over and over.
 */
#include "event/decode.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "proc/mem.h"
#include "python/code.h"
#include "python/object.h"
#include "python/tables.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(const struct ct_memory *m, const struct py_offsets *off)
{
	struct mem_chunk chunks[CT_MEMORY_CHUNKS];
	struct mem_source mem = {.n_chunks = CT_MEMORY_CHUNKS, .chunks = chunks};
	struct py_code *code;
	struct py_type *type;

	for (int i = 0; i < CT_MEMORY_CHUNKS; i++)
		chunks[i] = (struct mem_chunk){.addr = m->chunks[i].addr,
					       .len = m->chunks[i].len,
					       .data = m->data + m->chunks[i].at};
	if (!py_code__read(&mem, off, m->addr, &m->check, &code)) {
		for (uint32_t at = 0; at < 256; at += 2)
			py_code__line(code, off, at);
		py_code__free(code);
	}
	if (!py_type__read(&mem, off, m->addr, &type)) {
		if (strlen(type->name) > NAME_MAX_BYTES)
			abort();
		py_type__free(type);
	}
}

static void parse_all(const struct ct_memory *m)
{
	for (uint32_t version = 0x0308; version < 0x0310; version++) {
		const struct py_table *table = py_table__find(version);

		if (table)
			parse(m, &table->offsets);
		table = py_table__find_free_threaded(version);
		if (table)
			parse(m, &table->offsets);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t rooms[] = {0, CT_MEMORY_TYPE_BYTES, CT_MEMORY_CODE_BYTES,
				       CT_MEMORY_LONG_CODE_BYTES};
	const union event *e;

	if (!size)
		return 0;
	for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
		size_t whole = rooms[i] ? sizeof(struct ct_memory) + rooms[i] : size;
		uint8_t *record = malloc(whole);

		if (!record)
			return 0;
		memset(record, data[size - 1], whole);
		memcpy(record, data, size < whole ? size : whole);
		if (!event__decode(record, whole, &e) && e->tag == CT_MEMORY)
			parse_all(&e->memory);
		free(record);
	}
	return 0;
}
