/* SPDX-License-Identifier: MIT */
/* An interpreter with one thread in one frame, in this process's own memory, laid out as told. */
#ifndef COWTRACE_TESTS_PYTHON_WORLD_H
#define COWTRACE_TESTS_PYTHON_WORLD_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proc/mem.h"
#include "python/debug_offsets.h"
#include "python/offsets.h"
#include "python/runtime.h"
#include "python/tables.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Every row of the table, in order. */
struct row {
	uint32_t version;
	bool free_threaded;
	uint32_t hexversion, runtime_size; /* of one that is familiar */
};

static const struct row rows[] = {
	{0x0308, false, 0x030812f0, 1464},   {0x0309, false, 0x030902f0, 656},
	{0x030a, false, 0x030a0df0, 672},    {0x030b, false, 0x030b02f0, 166688},
	{0x030c, false, 0x030c00f0, 459888}, {0x030d, false, 0x030d05f0, 0},
	{0x030d, true, 0x030d05f0, 0},	     {0x030e, false, 0x030e0af0, 0},
	{0x030e, true, 0x030e0af0, 0},	     {0x030f, false, 0x030f02f0, 0},
	{0x030f, true, 0x030f02f0, 0},
};

static inline const struct py_table *table_of(const struct row *row)
{
	const struct py_table *table = row->free_threaded
					       ? py_table__find_free_threaded(row->version)
					       : py_table__find(row->version);

	assert_non_null(table);
	return table;
}

static inline struct py_runtime runtime_of(uint32_t hexversion, const char *text)
{
	struct py_runtime rt = {.hexversion = hexversion, .pthread_specific = 784};

	snprintf(rt.version, sizeof(rt.version), "%s", text);
	return rt;
}

struct world {
	struct py_offsets off;
	struct py_runtime rt;
	_Alignas(64) uint8_t runtime[8192], interp[16384], tstate[1024], cframe[64], frame[512];
	_Alignas(64) uint8_t code[512], code_type[512], metatype[512], name[512], file[512];
	_Alignas(64) uint8_t str_type[512];
};

static inline void world__put(uint8_t *object, uint32_t offset, const void *pointer)
{
	memcpy(object + offset, &pointer, sizeof(pointer));
}

static inline void world__type(struct world *w, uint8_t *type, const char *name, uint64_t flags)
{
	uint64_t basic_size = 64;

	flags |= 1ull << 12; /* Py_TPFLAGS_READY */
	world__put(type, w->off.object_type, w->metatype);
	world__put(type, w->off.type_name, name);
	memcpy(type + w->off.type_basicsize, &basic_size, 8);
	memcpy(type + w->off.type_flags, &flags, 8);
}

static inline void world__str(struct world *w, uint8_t *str, const char *text)
{
	uint64_t length = strlen(text);
	uint32_t state = 1u << w->off.str_kind_shift | 1u << (w->off.str_kind_shift + 3) |
			 1u << (w->off.str_kind_shift + 4);

	world__put(str, w->off.object_type, w->str_type);
	memcpy(str + w->off.str_length, &length, 8);
	memcpy(str + w->off.str_state, &state, 4);
	memcpy(str + w->off.str_ascii_data, text, length + 1);
}

static inline void world__frames(struct world *w)
{
	const struct py_offsets *off = &w->off;

	if (off->tstate_frame != PY_NO_OFFSET)
		world__put(w->tstate, off->tstate_frame, w->frame);
	if (off->tstate_current_frame != PY_NO_OFFSET)
		world__put(w->tstate, off->tstate_current_frame, w->frame);
	if (off->tstate_cframe != PY_NO_OFFSET) {
		world__put(w->tstate, off->tstate_cframe, w->cframe);
		world__put(w->cframe, off->cframe_current_frame, w->frame);
	}
	world__put(w->frame, off->frame_code, w->code + (off->version >= 0x030e ? 1 : 0));
}

/* All of it with these offsets; runtime_of() what the file of such an interpreter tells. */
static inline void world__fill(struct world *w, const struct py_offsets *off)
{
	w->off = *off;
	off = &w->off;
	world__type(w, w->metatype, "type", 1ull << 31);
	world__type(w, w->code_type, "code", 0);
	world__type(w, w->str_type, "str", 1ull << 28);
	world__str(w, w->name, "function");
	world__str(w, w->file, "/file.py");
	world__put(w->code, off->object_type, w->code_type);
	world__put(w->code, off->code_name, w->name);
	world__put(w->code, off->code_filename, w->file);
	world__put(w->runtime, off->runtime_interpreters_head, w->interp);
	world__put(w->runtime, off->runtime_interpreters_main, w->interp);
	world__put(w->interp, off->interp_threads_head, w->tstate);
	world__put(w->tstate, off->tstate_interp, w->interp);
	world__put(w->tstate, off->tstate_thread_id, w);
	world__frames(w);
	w->rt.runtime = (uintptr_t)w->runtime;
}

/* What an interpreter with these offsets tells of itself. */
static inline void debug__fill(uint64_t *block, unsigned int column, const struct py_offsets *off,
			       uint32_t hexversion, bool free_threaded)
{
	size_t n;
	const struct py_debug_field *fields = py_debug__fields(&n);

	memset(block, 0, PY_DEBUG_MAX);
	memcpy(block, PY_DEBUG_COOKIE, PY_DEBUG_COOKIE_LEN);
	block[PY_DEBUG_VERSION / 8] = hexversion;
	block[PY_DEBUG_FREE_THREADED / 8] = free_threaded;
	for (size_t i = 0; i < n; i++) {
		const struct py_debug_field *f = &fields[i];
		uint32_t value = *(const uint32_t *)((const char *)off + f->field);
		uint64_t *size = &block[py_debug__size_at(f, column) / 8];

		if (!f->at[column] || value == PY_NO_OFFSET)
			continue;
		if (f->in[column]) {
			block[f->in[column] / 8] = value - 200;
			value = 200;
		}
		block[f->at[column] / 8] = value;
		if (*size < value + f->width)
			*size = (value + f->width + 7) & ~7u;
	}
	block[PY_DEBUG_INTERP_SIZE / 8] += 1024; /* for what lies in it */
}

static inline void refused(struct py_runtime *rt, int expected, const char *sentence)
{
	struct mem_source mem = mem__of(getpid());
	struct py_offsets off = {.version = 77};
	char why[256] = "";

	assert_int_equal(py_offsets__choose(&mem, rt, &off, why, sizeof(why)), expected);
	assert_int_equal(off.version, 77);
	assert_string_equal(why, sentence);
}

static inline struct py_offsets accepted(const struct py_runtime *rt, const char *note)
{
	struct mem_source mem = mem__of(getpid());
	struct py_offsets off = {};
	char why[256] = "old";
	int err = py_offsets__choose(&mem, rt, &off, why, sizeof(why));

	assert_string_equal(why, note);
	assert_int_equal(err, 0);
	return off;
}

#endif
