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
#include "python/offsets.h"
#include "python/runtime.h"
#include "python/tables.h"

#define STILL "copies are counted, with native symbols only"

static struct py_runtime runtime_of(uint32_t hexversion, const char *text)
{
	struct py_runtime rt = {.hexversion = hexversion, .pthread_specific = 784};

	snprintf(rt.version, sizeof(rt.version), "%s", text);
	return rt;
}

/* _Py_DebugOffsets in this process's own memory, as a row of the table has them. */
static void fake_debug(const struct py_table *table, uint64_t *block, struct py_runtime *rt)
{
	memset(block, 0, PY_DEBUG_MAX);
	memcpy(block, PY_DEBUG_COOKIE, PY_DEBUG_COOKIE_LEN);
	block[PY_DEBUG_VERSION / 8] = rt->hexversion;
	for (size_t i = 0; i < table->n_debug; i++) {
		const struct py_debug_field *f = &table->debug[i];
		uint32_t value = *(const uint32_t *)((const char *)&table->offsets + f->field);

		block[f->at / 8] = value;
		if (f->plus) {
			block[f->at / 8] = value - 200;
			block[f->plus / 8] = 200;
		}
	}
	rt->runtime = (uintptr_t)block;
}

static void refused(struct py_runtime *rt, int expected, const char *sentence)
{
	struct mem_source mem = mem__of(getpid());
	const struct py_offsets *off = (void *)rt;
	char why[256] = "";

	assert_int_equal(py_offsets__choose(&mem, rt, &off, why, sizeof(why)), expected);
	assert_ptr_equal(off, rt);
	assert_string_equal(why, sentence);
}

static void test_accepted(void **state)
{
	static const uint32_t versions[] = {0x030b02f0, 0x030b0ff0, 0x030c00f0, 0x030c0cf0};
	struct mem_source mem = mem__of(getpid());

	(void)state;
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		struct py_runtime rt = runtime_of(versions[i], "3.x");
		const struct py_offsets *off = NULL;
		char why[256];

		assert_int_equal(py_offsets__choose(&mem, &rt, &off, why, sizeof(why)), 0);
		assert_int_equal(off->version, versions[i] >> 16);
	}
}

static void test_not_supported(void **state)
{
	struct py_runtime rt = runtime_of(0x030812f0, "3.8.18");

	(void)state;
	refused(&rt, -ENOTSUP,
		"CPython 3.8.18 is older than 3.11, the oldest that cowtrace explains: " STILL);
	rt = runtime_of(0x030e00c1, "3.14.0rc1");
	refused(&rt, -ENOTSUP,
		"CPython 3.14.0rc1 is newer than 3.13, the newest that this cowtrace "
		"knows: " STILL);
	rt = runtime_of(0x030d05f0, "3.13.5t");
	rt.free_threaded = true;
	refused(&rt, -ENOTSUP,
		"CPython 3.13.5t is a free-threaded build, which this cowtrace does not "
		"explain: " STILL);
	rt = runtime_of(0x030b02f0, "3.11.2");
	rt.trace_refs = true;
	refused(&rt, -ENOTSUP,
		"CPython 3.11.2 was built with Py_TRACE_REFS, which changes the layout of every "
		"object: " STILL);
}

static void test_debug_offsets_agree(void **state)
{
	struct mem_source mem = mem__of(getpid());
	struct py_runtime rt = runtime_of(0x030d05f0, "3.13.5");
	const struct py_table *table = py_table__find(0x030d);
	uint64_t block[PY_DEBUG_MAX / 8];
	const struct py_offsets *off = NULL;
	char why[256] = "";

	(void)state;
	fake_debug(table, block, &rt);
	assert_int_equal(py_offsets__choose(&mem, &rt, &off, why, sizeof(why)), 0);
	assert_ptr_equal(off, &table->offsets);
}

static void test_debug_offsets_contradict(void **state)
{
	struct py_runtime rt = runtime_of(0x030d05f0, "3.13.5");
	const struct py_table *table = py_table__find(0x030d);
	uint64_t block[PY_DEBUG_MAX / 8];

	(void)state;
	fake_debug(table, block, &rt);
	block[0] ^= 1;
	refused(&rt, -EPROTO, "CPython 3.13.5 has no _Py_DebugOffsets where they must be: " STILL);
	fake_debug(table, block, &rt);
	block[1] = 0x030d06f0;
	refused(&rt, -EPROTO,
		"CPython 3.13.5 calls itself 0x30d06f0 in its _Py_DebugOffsets: " STILL);
	fake_debug(table, block, &rt);
	block[2] = 1;
	refused(&rt, -EPROTO,
		"CPython 3.13.5 contradicts itself on being free-threaded (1): " STILL);
	rt.runtime = 8;
	refused(&rt, -EFAULT,
		"the _Py_DebugOffsets of CPython 3.13.5 could not be read: Bad address");
}

/* Each shared field is compared: any one of them wrong, by any amount, is found and named. */
static void test_each_field_counts(void **state)
{
	struct py_runtime rt = runtime_of(0x030d05f0, "3.13.5");
	struct mem_source mem = mem__of(getpid());
	const struct py_table *table = py_table__find(0x030d);
	uint64_t block[PY_DEBUG_MAX / 8];

	(void)state;
	for (size_t i = 0; i < table->n_debug; i++) {
		const struct py_offsets *off = NULL;
		char why[256] = "";

		fake_debug(table, block, &rt);
		block[table->debug[i].at / 8] += i % 2 ? 8 : 1ull << 32;
		assert_int_equal(py_offsets__choose(&mem, &rt, &off, why, sizeof(why)), -EPROTO);
		assert_null(off);
		assert_non_null(strstr(why, table->debug[i].name));
	}
}

/* What the BPF side and the readers take for granted, for every row. */
static void test_rows(void **state)
{
	(void)state;
	for (uint32_t v = py_table__oldest(); v <= py_table__newest(); v++) {
		const struct py_table *table = py_table__find(v);
		const struct py_offsets *off;

		assert_non_null(table);
		off = &table->offsets;
		assert_int_equal(off->version, v);
		assert_true(off->frame_code + 8 <= CT_FRAME_READ);
		assert_true(off->frame_previous + 8 <= CT_FRAME_READ);
		assert_true(off->frame_instr + 8 <= CT_FRAME_READ);
		assert_true(off->frame_owner < CT_FRAME_READ);
		assert_int_equal(off->code_name, off->code_filename + 8);
		assert_int_equal(off->code_qualname, off->code_filename + 16);
		assert_int_equal(off->code_linetable, off->code_filename + 24);
		assert_true(off->code_linetable + 8 <= off->code_adaptive);
		assert_true(off->code_adaptive <= 256);
		assert_true(off->type_flags + 8 <= 256);
		/* One of the two ways to the frame. */
		assert_int_not_equal(off->tstate_cframe == PY_NO_OFFSET,
				     off->tstate_current_frame == PY_NO_OFFSET);
		assert_int_equal(off->tstate_cframe == PY_NO_OFFSET,
				 off->cframe_current_frame == PY_NO_OFFSET);
		assert_true(table->debug_size <= PY_DEBUG_MAX);
		for (size_t i = 0; i < table->n_debug; i++)
			assert_true(table->debug[i].at + 8 <= table->debug_size);
	}
}

static void test_layout(void **state)
{
	struct py_runtime rt = runtime_of(0x030b02f0, "3.11.2");
	struct ct_pylayout lay;

	(void)state;
	rt.runtime = 0x1000;
	rt.main_interpreter = 0x2000;
	py_offsets__layout(&py_table__find(0x030b)->offsets, &rt, &lay);
	assert_int_equal(lay.version, 0x030b);
	assert_int_equal(lay.flags, CT_PY_CFRAME | CT_PY_TSTATE_CURRENT | CT_PY_TSS_GLIBC);
	assert_int_equal(lay.runtime, 0x1000);
	assert_int_equal(lay.gc_collecting, 0x2000 + 848);
	assert_int_equal(lay.pthread_specific, 784);
	assert_int_equal(lay.ts_frame, 56);
	rt.pthread_specific = 0;
	rt.main_interpreter = 0;
	py_offsets__layout(&py_table__find(0x030c)->offsets, &rt, &lay);
	assert_int_equal(lay.flags, CT_PY_CFRAME);
	assert_int_equal(lay.gc_collecting, 0);
	assert_int_equal(lay.pthread_specific, 0);
	assert_int_equal(lay.rt_tstate_current, 0);
	py_offsets__layout(&py_table__find(0x030d)->offsets, &rt, &lay);
	assert_int_equal(lay.flags, 0);
	assert_int_equal(lay.ts_frame, 72);
	assert_int_equal(lay.cframe_current, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_not_supported),
		cmocka_unit_test(test_debug_offsets_agree),
		cmocka_unit_test(test_debug_offsets_contradict),
		cmocka_unit_test(test_each_field_counts),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_layout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
