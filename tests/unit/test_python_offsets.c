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

enum builds { ALL, GIL, FREE_THREADED };

/* Members that not every version has: the first and last minor version that does. */
static const struct presence {
	const char *field;
	unsigned int first, last;
	enum builds builds;
} presences[] = {
	{"runtime_tstate_current", 8, 11, ALL},
	{"runtime_tss_key", 8, 14, ALL},
	{"runtime_gc_collecting", 8, 8, ALL},
	{"interp_gc_collecting", 9, 15, ALL},
	{"interp_id", 13, 15, ALL},
	{"interp_code_count", 13, 15, ALL},
	{"tstate_frame", 8, 10, ALL},
	{"tstate_cframe", 11, 12, ALL},
	{"tstate_current_frame", 13, 15, ALL},
	{"cframe_current_frame", 11, 12, ALL},
	{"tstate_datastack_chunk", 11, 15, ALL},
	{"frame_func", 11, 11, ALL},
	{"frame_owner", 11, 15, ALL},
	{"frame_tlbc_index", 14, 15, FREE_THREADED},
	{"code_qualname", 11, 15, ALL},
	{"code_firsttraceable", 11, 15, ALL},
	{"code_bytes", 8, 10, ALL},
	{"code_adaptive", 11, 15, ALL},
	{"code_version", 12, 15, ALL},
	{"code_tlbc", 14, 15, FREE_THREADED},
	{"code_warmup", 11, 11, ALL},
	{"code_zombieframe", 8, 10, ALL},
	{"code_opcache_flag", 8, 10, ALL},
	{"code_opcache_map", 8, 10, ALL},
	{"code_opcache", 8, 10, ALL},
	{"code_executors", 13, 15, ALL},
	{"code_cached", 11, 15, ALL},
	{"code_instrumentation", 12, 15, ALL},
	{"code_monitoring", 12, 15, ALL},
	{"object_ref_shared", 13, 15, FREE_THREADED},
	{"object_tid", 13, 15, FREE_THREADED},
	{"object_mutex", 13, 15, FREE_THREADED},
	{"object_gc_bits", 13, 15, FREE_THREADED},
	{"type_watched", 12, 15, ALL},
	{"type_versions_used", 13, 15, ALL},
	{"type_spec_cache", 11, 15, ALL},
	{"tuple_hash", 14, 15, ALL},
	{"keys_lookup", 8, 10, ALL},
	{"keys_version", 11, 15, ALL},
	{"function_version", 11, 15, ALL},
	{"pymalloc_pool_size", 8, 15, GIL},
	{"mimalloc_segment_slices", 13, 15, FREE_THREADED},
	{"mimalloc_page_size", 13, 15, FREE_THREADED},
	{"mimalloc_page_slice_offset", 13, 15, FREE_THREADED},
	{"mimalloc_page_block_size", 13, 15, FREE_THREADED},
	{"mimalloc_page_free", 13, 15, FREE_THREADED},
};

/* --- the table --------------------------------------------------------------- */

static bool has(const struct row *row, const char *field)
{
	unsigned int minor = row->version & 0xff;

	for (size_t i = 0; i < ARRAY_LEN(presences); i++) {
		const struct presence *p = &presences[i];

		if (!strcmp(p->field, field))
			return minor >= p->first && minor <= p->last &&
			       (p->builds == ALL ||
				(p->builds == FREE_THREADED) == row->free_threaded);
	}
	return true;
}

/* A member that was forgotten in a row is absent there. */
static void test_every_member(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct py_offsets *off = &table_of(&rows[i])->offsets;

#define PY_OFFSET(group, field)                                                                    \
	if (has(&rows[i], #group "_" #field) != (off->group##_##field != PY_NO_OFFSET))            \
		fail_msg("3.%u%s: " #group "_" #field, rows[i].version & 0xff,                     \
			 rows[i].free_threaded ? "t" : "");
#include "python/offsets.def"
		assert_int_equal(off->version, rows[i].version);
	}
}

/* What is looked up in _Py_DebugOffsets lies in what is read of them. */
static void test_debug_places(void **state)
{
	size_t n;
	const struct py_debug_field *fields = py_debug__fields(&n);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct py_table *table = table_of(&rows[i]);

		assert_int_equal(!table->debug_size, rows[i].version < 0x030d);
		assert_true(table->debug_size <= PY_DEBUG_MAX);
		for (size_t k = 0; k < n && table->debug_size; k++) {
			unsigned int column = table->debug_column;

			assert_true(column < PY_DEBUG_COLUMNS);
			assert_true(fields[k].at[column] + 8 <= table->debug_size);
			assert_true(fields[k].in[column] + 8 <= table->debug_size);
			assert_in_range(py_debug__size_at(&fields[k], column), 24,
					table->debug_size - 8);
		}
	}
}

static void test_known_versions(void **state)
{
	unsigned int n = 0;

	(void)state;
	assert_int_equal(py_table__oldest(), 0x0308);
	assert_int_equal(py_table__newest(), 0x030f);
	for (uint32_t v = 0; v < 0x0400; v++) {
		n += py_table__find(v) != NULL;
		n += py_table__find_free_threaded(v) != NULL;
	}
	assert_int_equal(n, ARRAY_LEN(rows));
}

static void in_code(const struct ct_pylayout *lay, uint32_t offset)
{
	assert_int_equal(offset % 8, 0);
	assert_true(offset + 8 <= lay->code_size);
}

/* What the BPF side takes for granted, for every row. */
static void check_layout(const struct ct_pylayout *lay)
{
	assert_true(lay->fr_size <= CT_FRAME_READ_MAX && lay->fr_size % 8 == 0);
	assert_true(lay->fr_code + 8 <= lay->fr_size && lay->fr_previous + 8 <= lay->fr_size);
	assert_true(lay->fr_instr + (lay->flags & CT_PY_LASTI ? 4 : 8) <= lay->fr_size);
	assert_true(lay->fr_owner < lay->fr_size && lay->fr_tlbc + 4 <= lay->fr_size);
	assert_true(lay->code_size <= CT_CODE_READ_MAX && lay->code_size % 8 == 0);
	for (unsigned int i = 0; i < CT_CODE_WORDS; i++)
		in_code(lay, lay->code_words[i]);
	in_code(lay, lay->code_file);
	in_code(lay, lay->code_name);
	in_code(lay, lay->code_table);
	in_code(lay, lay->code_bytes);
	in_code(lay, lay->code_tlbc);
	assert_true(lay->ts_size % 8 == 0 && lay->ts_size <= 512);
	assert_true(lay->ts_next + 8 <= lay->ts_size && lay->ts_interp + 8 <= lay->ts_size);
	assert_true(lay->ts_thread_id + 8 <= lay->ts_size && lay->ts_frame + 8 <= lay->ts_size);
	assert_true(lay->ts_datastack + 24 <= lay->ts_size);
	assert_true(lay->type_name < lay->type_basicsize && lay->type_basicsize < lay->type_flags);
	assert_true(lay->type_flags + 8 - lay->type_name <= 256);
	assert_true(!(lay->pool_size & (lay->pool_size - 1)));
}

static void test_layouts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct py_runtime rt = runtime_of(rows[i].hexversion, "3.x");
		unsigned int minor = rows[i].version & 0xff;
		struct ct_pylayout lay;

		memset(&lay, 0xff, sizeof(lay));
		rt.runtime = 0x100000;
		py_offsets__layout(&table_of(&rows[i])->offsets, &rt, &lay);
		check_layout(&lay);
		assert_int_equal(lay.version, rows[i].version);
		assert_int_equal(lay.runtime, 0x100000);
		assert_int_equal(lay.gc_collecting, minor == 8 ? 0x100000 + 544 : 0);
		assert_int_equal(!lay.interp_gc_collecting, minor == 8);
		assert_int_equal(lay.flags,
				 (minor <= 10 ? CT_PY_LASTI : 0) |
					 (minor == 10 ? CT_PY_LASTI_UNITS : 0) |
					 (minor <= 11 ? CT_PY_TSTATE_CURRENT : 0) |
					 (minor == 11 || minor == 12 ? CT_PY_CFRAME : 0) |
					 (minor <= 14 ? CT_PY_TSS_GLIBC : 0) |
					 (minor >= 14 ? CT_PY_TAGGED : 0) |
					 (rows[i].free_threaded ? CT_PY_FREE_THREADED : 0) |
					 (rows[i].free_threaded && minor >= 14 ? CT_PY_TLBC : 0));
		assert_int_equal(lay.pool_size, rows[i].free_threaded ? 0
						: minor <= 9	      ? 4096
								      : 16384);
		assert_int_equal(lay.pthread_specific, minor <= 14 ? 784 : 0);
		assert_int_equal(!lay.code_bytes, minor > 10);
		assert_int_equal(!lay.code_adaptive, minor <= 10);
		assert_int_equal(!lay.ts_datastack, minor <= 10);
	}
}

/* Each number of these two was read off the headers once more by hand. */
static void test_two_layouts(void **state)
{
	struct py_runtime rt = runtime_of(0x030812f0, "3.8.18");
	struct ct_pylayout lay;

	(void)state;
	rt.pthread_specific = 0;
	py_offsets__layout(&py_table__find(0x0308)->offsets, &rt, &lay);
	assert_int_equal(lay.flags, CT_PY_LASTI | CT_PY_TSTATE_CURRENT);
	assert_int_equal(lay.pthread_specific, 0);
	assert_int_equal(lay.ts_frame, 24);
	assert_int_equal(lay.ts_size, 184);
	assert_int_equal(lay.fr_size, 112);
	assert_int_equal(lay.code_size, 128);
	assert_memory_equal(lay.code_words, ((__u32[]){104, 112, 120, 56, 48, 40}), 24);
	rt = runtime_of(0x030e00f0, "3.14.0t");
	rt.attached = (struct py_tls){.found = true, .module = 3, .offset = 16};
	rt.bound = (struct py_tls){.found = true, .offset = -40};
	py_offsets__layout(&py_table__find_free_threaded(0x030e)->offsets, &rt, &lay);
	assert_int_equal(lay.flags, CT_PY_TAGGED | CT_PY_TLBC | CT_PY_FREE_THREADED |
					    CT_PY_TSS_GLIBC | CT_PY_TLS | CT_PY_TLS2);
	assert_int_equal(lay.tls_module, 3);
	assert_int_equal(lay.tls_offset, 16);
	assert_int_equal(lay.tls2_module, 0);
	assert_int_equal(lay.tls2_offset, -40);
	assert_int_equal(lay.fr_size, 80);
	assert_int_equal(lay.fr_tlbc, 72);
	assert_int_equal(lay.code_size, 232);
	assert_int_equal(lay.code_tlbc, 224);
	assert_memory_equal(lay.code_words, ((__u32[]){128, 136, 144, 152, 104, 40}), 24);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_member),   cmocka_unit_test(test_debug_places),
		cmocka_unit_test(test_known_versions), cmocka_unit_test(test_layouts),
		cmocka_unit_test(test_two_layouts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
