// SPDX-License-Identifier: MIT
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <linux/types.h>
#include <cowtrace/abi.h>
#include <cowtrace/pylayout.h>

#include "proc/mem.h"
#include "python_world.h"

#define STILL "copies are counted, with native symbols only"

static void refused(struct py_runtime *rt, int expected, const char *sentence)
{
	struct mem_source mem = mem__of(getpid());
	struct py_offsets off = {.version = 77};
	char why[256] = "";

	assert_int_equal(py_offsets__choose(&mem, rt, &off, why, sizeof(why)), expected);
	assert_int_equal(off.version, 77);
	assert_string_equal(why, sentence);
}

static struct py_offsets accepted(const struct py_runtime *rt, const char *note)
{
	struct mem_source mem = mem__of(getpid());
	struct py_offsets off = {};
	char why[256] = "old";
	int err = py_offsets__choose(&mem, rt, &off, why, sizeof(why));

	assert_string_equal(why, note);
	assert_int_equal(err, 0);
	return off;
}

static void test_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct py_runtime rt = runtime_of(rows[i].hexversion, "3.x");
		const struct py_table *table = table_of(&rows[i]);
		uint64_t block[PY_DEBUG_MAX / 8];
		struct py_offsets off;

		rt.size = rows[i].runtime_size;
		rt.free_threaded = rows[i].free_threaded;
		rt.runtime = (uintptr_t)block;
		debug__fill(block, table->debug_column, &table->offsets, rt.hexversion,
			    rt.free_threaded);
		off = accepted(&rt, "");
		assert_memory_equal(&off, &table->offsets, sizeof(off));
	}
}

static void test_not_supported(void **state)
{
	struct py_runtime rt = runtime_of(0x030711f0, "3.7.17");

	(void)state;
	refused(&rt, -ENOTSUP,
		"CPython 3.7.17 is older than 3.8, the oldest that cowtrace explains: " STILL);
	rt = runtime_of(0x030c00f0, "3.12.0t");
	rt.free_threaded = true;
	refused(&rt, -ENOTSUP,
		"CPython 3.12.0t is free-threaded, which cowtrace does not know of that "
		"version: " STILL);
}

/* --- _Py_DebugOffsets -------------------------------------------------------- */

static void test_debug_head(void **state)
{
	struct py_runtime rt = runtime_of(0x030d05f0, "3.13.5");
	const struct py_offsets *off = &py_table__find(0x030d)->offsets;
	uint64_t block[PY_DEBUG_MAX / 8];

	(void)state;
	rt.runtime = (uintptr_t)block;
	debug__fill(block, 0, off, rt.hexversion, false);
	block[0] ^= 1;
	refused(&rt, -EPROTO, "CPython 3.13.5 has no _Py_DebugOffsets where they must be: " STILL);
	debug__fill(block, 0, off, 0x030d06f0, false);
	refused(&rt, -EPROTO,
		"CPython 3.13.5 calls itself 0x30d06f0 in its _Py_DebugOffsets: " STILL);
	debug__fill(block, 0, off, rt.hexversion, true);
	refused(&rt, -EPROTO,
		"CPython 3.13.5 contradicts itself on being free-threaded (1): " STILL);
	rt.runtime = 8;
	refused(&rt, -EFAULT,
		"the _Py_DebugOffsets of CPython 3.13.5 could not be read: Bad address");
}

struct telling {
	struct py_runtime rt;
	const struct py_table *table;
	unsigned int column;
	uint64_t block[PY_DEBUG_MAX / 8];
};

static void tell(struct telling *t)
{
	debug__fill(t->block, t->column, &t->table->offsets, t->rt.hexversion, t->rt.free_threaded);
	t->rt.runtime = (uintptr_t)t->block;
}

/* Another value within reason is used, and said. */
static void check_differs(struct telling *t, const struct py_debug_field *f)
{
	uint32_t known = *(const uint32_t *)((const char *)&t->table->offsets + f->field);
	int by = f->width && f->width < 8 ? f->width : 8;
	struct py_offsets off, expected = t->table->offsets;
	char note[256];

	if (f->field == offsetof(struct py_offsets, type_name))
		by = -8; /* it stays before tp_basicsize */
	tell(t);
	t->block[f->at[t->column] / 8] += by;
	t->block[py_debug__size_at(f, t->column) / 8] += 8;
	*(uint32_t *)((char *)&expected + f->field) = known + by;
	if (f->field == offsetof(struct py_offsets, code_adaptive))
		expected.code_head = known + by;
	snprintf(note, sizeof(note),
		 "CPython 3.x says that %s is at %u, cowtrace knew %u: its own offset is used",
		 f->name, known + by, known);
	off = accepted(&t->rt, note);
	assert_memory_equal(&off, &expected, sizeof(off));
}

static void check_insane(struct telling *t, const struct py_debug_field *f, uint64_t plus)
{
	uint32_t known = *(const uint32_t *)((const char *)&t->table->offsets + f->field);
	char why[256];

	tell(t);
	t->block[f->at[t->column] / 8] += plus;
	snprintf(why, sizeof(why), "CPython 3.x says that %s is at %llu, which can not be: " STILL,
		 f->name, (unsigned long long)(known + plus));
	refused(&t->rt, -EPROTO, why);
}

static void check_fields(struct telling *t)
{
	size_t n;
	const struct py_debug_field *fields = py_debug__fields(&n);
	unsigned int told = 0;

	for (size_t i = 0; i < n; i++) {
		const struct py_debug_field *f = &fields[i];

		if (!f->at[t->column] || *(const uint32_t *)((const char *)&t->table->offsets +
							     f->field) == PY_NO_OFFSET)
			continue;
		told++;
		if (f->field == offsetof(struct py_offsets, object_head))
			continue; /* it is also the bound of object_type: test_object_head */
		if (f->field != offsetof(struct py_offsets, object_type))
			check_differs(t, f);
		check_insane(t, f, 1ull << 32);
		check_insane(t, f, 1ull << 63);
		check_insane(t, f, 1ull << 16);
		if (f->width != 1)
			check_insane(t, f, 1);
	}
	assert_true(told >= 30);
}

static void test_each_field_counts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct telling t = {.rt = runtime_of(rows[i].hexversion, "3.x"),
				    .table = table_of(&rows[i])};

		t.column = t.table->debug_column;
		t.rt.free_threaded = rows[i].free_threaded;
		assert_int_equal(!t.table->debug_size, rows[i].version < 0x030d);
		assert_true(t.table->debug_size <= PY_DEBUG_MAX);
		if (t.table->debug_size)
			check_fields(&t);
	}
}

static void test_object_head(void **state)
{
	struct telling t = {.rt = runtime_of(0x030d05f0, "3.13.5"),
			    .table = py_table__find(0x030d)};
	struct py_offsets off;

	(void)state;
	tell(&t);
	t.block[352 / 8] = 32;
	t.block[360 / 8] = 24;
	off = accepted(&t.rt,
		       "CPython 3.13.5 says that object_head is at 32, cowtrace knew 16 (and "
		       "1 more): its own offsets are used");
	assert_int_equal(off.object_head, 32);
	assert_int_equal(off.object_type, 24);
	tell(&t);
	t.block[352 / 8] = 65;
	refused(&t.rt, -EPROTO,
		"CPython 3.13.5 says that the size of its object is 65, which can not be: " STILL);
}

static void test_sizes_count(void **state)
{
	struct telling t = {.rt = runtime_of(0x030f02f0, "3.x"), .table = py_table__find(0x030f)};

	(void)state;
	t.column = 2;
	tell(&t);
	t.block[PY_DEBUG_RUNTIME_SIZE / 8] = 0;
	refused(&t.rt, -EPROTO,
		"CPython 3.x says that the size of its runtime is 0, which can not be: " STILL);
	tell(&t);
	t.block[312 / 8] = 4096;
	refused(&t.rt, -EPROTO,
		"CPython 3.x says that the size of its frame is 4096, which can not be: " STILL);
	/* The collector's state beyond the end of the interpreter. */
	tell(&t);
	t.block[PY_DEBUG_INTERP_SIZE / 8] -= 1024;
	t.block[752 / 8] = 1024;
	refused(&t.rt, -EPROTO,
		"CPython 3.x says that interp_gc_collecting is at 7512, which can not be: " STILL);
}

static void test_several_differ(void **state)
{
	struct telling t = {.rt = runtime_of(0x030d05f0, "3.13.5"),
			    .table = py_table__find(0x030d)};
	struct py_offsets off;

	(void)state;
	tell(&t);
	for (unsigned int at = 280; at <= 304; at += 8) /* file, name, qualname, line table */
		t.block[at / 8] += 16;
	off = accepted(&t.rt, "CPython 3.13.5 says that code_filename is at 128, cowtrace knew 112 "
			      "(and 3 more): its own offsets are used");
	assert_int_equal(off.code_linetable, 152);
	assert_int_equal(off.code_firstlineno, 68);
}

/* --- what nobody has compared ------------------------------------------------ */

static struct world *world__new(const struct py_offsets *off, uint32_t hexversion, const char *text)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->rt = runtime_of(hexversion, text);
	world__fill(w, off);
	return w;
}

static void tell_world(struct world *w, const struct py_offsets *off)
{
	uint64_t block[PY_DEBUG_MAX / 8];

	debug__fill(block, PY_DEBUG_COLUMNS - 1, off, w->rt.hexversion, w->rt.free_threaded);
	memcpy(w->runtime, block, 888);
}

static void check_newer(bool free_threaded, const char *text, const char *note)
{
	const struct py_table *table =
		free_threaded ? py_table__find_free_threaded(0x030f) : py_table__find(0x030f);
	struct py_offsets off = table->offsets, chosen;
	struct world *w;

	off.version = 0x0310;
	off.tstate_thread_id += 16;
	off.code_filename += 8;
	off.code_name += 8;
	off.runtime_interpreters_head += 64;
	off.runtime_interpreters_main += 64;
	w = world__new(&off, 0x031000a1, text);
	w->rt.free_threaded = free_threaded;
	tell_world(w, &off);
	chosen = accepted(&w->rt, note);
	assert_memory_equal(&chosen, &off, sizeof(off));
	free(w);
}

static void test_newer(void **state)
{
	(void)state;
	check_newer(false, "3.16.0a1",
		    "CPython 3.16.0a1 is newer than 3.15, the newest that this cowtrace knows: its "
		    "own offsets passed every check");
	check_newer(true, "3.16.0a1t",
		    "CPython 3.16.0a1t is newer than 3.15, the newest that this cowtrace knows: "
		    "its own offsets passed every check");
}

#define NEWER "CPython 3.16.0a1 is newer than 3.15, the newest that this cowtrace knows, and its "

static struct world *newer_world(void)
{
	struct py_offsets off = py_table__find(0x030f)->offsets;
	struct world *w;

	off.version = 0x0310;
	w = world__new(&off, 0x031000a1, "3.16.0a1");
	tell_world(w, &off);
	return w;
}

static void test_newer_insane(void **state)
{
	struct world *w = newer_world();

	(void)state;
	w->runtime[0] ^= 1;
	refused(&w->rt, -ENOTSUP, NEWER "own offsets do not pass the checks: " STILL);
	w->runtime[0] ^= 1;
	w->runtime[384 + 2] = 1; /* co_filename far out */
	refused(&w->rt, -ENOTSUP, NEWER "own offsets do not pass the checks: " STILL);
	w->runtime[384 + 2] = 0;
	w->runtime[312] = 136; /* a larger frame than BPF reads */
	refused(&w->rt, -ENOTSUP, NEWER "own offsets do not pass the checks: " STILL);
	free(w);
}

/* Each step from the runtime to the code is refused when it is broken. */
static void test_newer_not_proven(void **state)
{
	struct world *w = newer_world();
	const struct py_offsets *off = &w->off;

	(void)state;
	world__put(w->tstate, off->tstate_interp, w->code);
	refused(&w->rt, -ENOTSUP,
		NEWER "memory has a thread that does not lead back to its interpreter where "
		      "cowtrace looks: " STILL);
	world__put(w->tstate, off->tstate_interp, w->interp);
	world__put(w->tstate, off->tstate_thread_id, NULL);
	refused(&w->rt, -ENOTSUP,
		NEWER "memory has a thread without an identifier where cowtrace looks: " STILL);
	world__put(w->tstate, off->tstate_thread_id, w);
	world__put(w->code, off->object_type, w->metatype);
	refused(&w->rt, -ENOTSUP,
		NEWER "memory has a frame whose code is an object of another type where cowtrace "
		      "looks: " STILL);
	world__put(w->code, off->object_type, w->name);
	refused(&w->rt, -ENOTSUP,
		NEWER "memory has a frame whose code is no object where cowtrace looks: " STILL);
	world__put(w->code, off->object_type, w->code_type);
	world__put(w->code, off->code_name, w->code);
	refused(&w->rt, -ENOTSUP,
		NEWER "memory has a code object without a name where cowtrace looks: " STILL);
	world__put(w->code, off->code_name, w->name);
	world__put(w->frame, off->frame_previous, (void *)7);
	refused(&w->rt, -ENOTSUP,
		NEWER "memory has a chain of frames that is broken where cowtrace looks: " STILL);
	/* A chain that goes round is followed for a while only; a shim is passed over. */
	world__put(w->frame, off->frame_previous, w->frame);
	accepted(&w->rt, "CPython 3.16.0a1 is newer than 3.15, the newest that this cowtrace "
			 "knows: its own offsets passed every check");
	world__put(w->frame, off->frame_code, NULL);
	w->frame[off->frame_owner] = 3;
	accepted(&w->rt, "CPython 3.16.0a1 is newer than 3.15, the newest that this cowtrace "
			 "knows: its own offsets passed every check");
	free(w);
}

/* Asked too early: the answer may be another one later. */
static void test_not_begun(void **state)
{
	struct world *w = newer_world();

	(void)state;
	world__put(w->interp, w->off.interp_threads_head, NULL);
	refused(&w->rt, -EAGAIN, "CPython 3.16.0a1 has not begun to run");
	world__put(w->runtime, w->off.runtime_interpreters_head, NULL);
	refused(&w->rt, -EAGAIN, "CPython 3.16.0a1 has not begun to run");
	free(w);
}

/* Builds of versions that tell nothing, with a runtime of another size. */
static void test_unfamiliar(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows) && rows[i].runtime_size; i++) {
		const struct py_offsets *off = &table_of(&rows[i])->offsets;
		struct world *w = world__new(off, rows[i].hexversion, "3.x");
		struct py_offsets chosen;
		char note[256] = "";

		w->rt.size = rows[i].runtime_size + 8;
		if (rows[i].version <= 0x030a)
			snprintf(note, sizeof(note),
				 "CPython 3.x: its _PyRuntime has %u bytes, cowtrace knows %u; its "
				 "memory passed every check",
				 rows[i].runtime_size + 8, rows[i].runtime_size);
		chosen = accepted(&w->rt, note);
		assert_memory_equal(&chosen, off, sizeof(chosen));
		w->rt.size = 0;
		accepted(&w->rt, "");
		world__put(w->tstate, off->tstate_interp, NULL);
		refused(&w->rt, -ENOTSUP,
			"CPython 3.x is a build that cowtrace has not seen, and its memory has a "
			"thread that does not lead back to its interpreter where cowtrace "
			"looks: " STILL);
		free(w);
	}
}

static void test_trace_refs(void **state)
{
	struct py_offsets off = py_table__find(0x030b)->offsets, shifted = off, chosen;
	struct world *w;

	(void)state;
	shifted.object_type += 16;
	shifted.type_name += 16;
	shifted.type_basicsize += 16;
	shifted.type_flags += 16;
	shifted.code_name += 16;
	shifted.code_filename += 16;
	shifted.str_length += 16;
	shifted.str_state += 16;
	shifted.str_ascii_data += 16;
	w = world__new(&shifted, 0x030b02f0, "3.11.2");
	w->rt.size = 166688;
	w->rt.trace_refs = true;
	chosen = accepted(&w->rt, "");
	assert_int_equal(chosen.object_refcount, 16);
	assert_int_equal(chosen.object_head, 32);
	assert_int_equal(chosen.tuple_items, 40);
	assert_int_equal(chosen.code_adaptive, 200);
	assert_int_equal(chosen.frame_code, off.frame_code);
	assert_int_equal(chosen.tstate_cframe, off.tstate_cframe);
	assert_int_equal(chosen.str_kind_shift, off.str_kind_shift);
	assert_int_equal(chosen.type_preheader_flags, off.type_preheader_flags);
	assert_int_equal(chosen.keys_usable, off.keys_usable);
	assert_int_equal(chosen.code_version, PY_NO_OFFSET);
	free(w);
	w = world__new(&off, 0x030b02f0, "3.11.2");
	w->rt.size = 166688;
	w->rt.trace_refs = true;
	refused(&w->rt, -ENOTSUP,
		"CPython 3.11.2 was built with Py_TRACE_REFS, and its memory has a frame whose "
		"code "
		"is no object where cowtrace looks: " STILL);
	w->rt = runtime_of(0x030902f0, "3.9.2");
	w->rt.trace_refs = true;
	refused(&w->rt, -ENOTSUP,
		"CPython 3.9.2 has larger structures than cowtrace can read: " STILL);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),       cmocka_unit_test(test_not_supported),
		cmocka_unit_test(test_debug_head),     cmocka_unit_test(test_each_field_counts),
		cmocka_unit_test(test_object_head),    cmocka_unit_test(test_sizes_count),
		cmocka_unit_test(test_several_differ), cmocka_unit_test(test_newer),
		cmocka_unit_test(test_newer_insane),   cmocka_unit_test(test_newer_not_proven),
		cmocka_unit_test(test_not_begun),      cmocka_unit_test(test_unfamiliar),
		cmocka_unit_test(test_trace_refs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
