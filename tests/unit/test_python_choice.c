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

static void test_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct py_runtime rt = runtime_of(rows[i].hexversion, "3.x");
		const struct py_table *table = table_of(&rows[i]);
		uint64_t block[PY_DEBUG_MAX / 8];
		struct py_offsets off;

		rt.size = table->mains[0].runtime_size;
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

/* Another place in its structure: at its end, or (bounded by what BPF reads) in a gap. */
static uint32_t other_place(const struct telling *t, const struct py_debug_field *f)
{
	const struct py_offsets *known = &t->table->offsets;

	if (f->field == offsetof(struct py_offsets, type_name))
		return known->type_name - 8;
	if (f->field == offsetof(struct py_offsets, type_basicsize))
		return known->type_basicsize + 8;
	if (f->field == offsetof(struct py_offsets, type_flags))
		return known->type_flags + 8;
	if (!strncmp(f->name, "code_", 5))
		return 8;
	return t->block[py_debug__size_at(f, t->column) / 8] + (f->width ? 0 : 8);
}

/* Another value within reason is used, and said. */
static void check_differs(struct telling *t, const struct py_debug_field *f)
{
	uint32_t known = *(const uint32_t *)((const char *)&t->table->offsets + f->field), place;
	struct py_offsets off, expected = t->table->offsets;
	char note[256];

	tell(t);
	place = other_place(t, f);
	t->block[f->at[t->column] / 8] = place;
	t->block[py_debug__size_at(f, t->column) / 8] += 24;
	if (f->in[t->column])
		place += t->block[f->in[t->column] / 8];
	*(uint32_t *)((char *)&expected + f->field) = place;
	expected.code_head = expected.code_adaptive;
	expected.interp_code_count = PY_NO_OFFSET;
	snprintf(note, sizeof(note),
		 "CPython 3.x says that %s is at %u, cowtrace knew %u: its own offset is used",
		 f->name, place, known);
	off = accepted(&t->rt, note);
	assert_memory_equal(&off, &expected, sizeof(off));
}

/* Two members can not be in one place. */
static void test_overlap(void **state)
{
	struct telling t = {.rt = runtime_of(0x030f02f0, "3.15.2"),
			    .table = py_table__find(0x030f)};

	(void)state;
	t.column = 2;
	tell(&t);
	t.block[384 / 8] += 8; /* co_filename where co_name is */
	refused(&t.rt, -EPROTO,
		"CPython 3.15.2 says that code_filename is at 120, which can not be: " STILL);
	tell(&t);
	t.block[352 / 8] = 63; /* the owner of a frame within its instruction pointer */
	refused(&t.rt, -EPROTO,
		"CPython 3.15.2 says that frame_instr is at 56, which can not be: " STILL);
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

/* The count of code objects is used where it was seen, and nowhere else. */
static void check_count(struct telling *t)
{
	const struct py_main_place *mains = t->table->mains;
	uint32_t known = t->table->offsets.interp_code_count;

	tell(t);
	for (unsigned int i = 0; i < PY_MAIN_PLACES && mains[i].runtime_size; i++) {
		t->rt.size = mains[i].runtime_size;
		assert_int_equal(accepted(&t->rt, "").interp_code_count, known);
		t->rt.size -= 4;
		assert_int_equal(accepted(&t->rt, "").interp_code_count, PY_NO_OFFSET);
	}
	t->rt.size = 0;
	assert_int_equal(accepted(&t->rt, "").interp_code_count, PY_NO_OFFSET);
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
		if (!t.table->debug_size)
			continue;
		t.rt.size = t.table->mains[0].runtime_size;
		assert_int_not_equal(t.rt.size, 0);
		check_fields(&t);
		check_count(&t);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),	  cmocka_unit_test(test_not_supported),
		cmocka_unit_test(test_debug_head),	  cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_each_field_counts), cmocka_unit_test(test_object_head),
		cmocka_unit_test(test_sizes_count),	  cmocka_unit_test(test_several_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
