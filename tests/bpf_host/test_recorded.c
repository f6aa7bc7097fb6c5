/* SPDX-License-Identifier: MIT */
/*
 * The stacks of recorded interpreters, one file for each in tests/recorded: walked as the kernel
 * does it, read as the daemon does it, they are what the interpreter itself said. So whatever
 * breaks the tables or the readers is seen, on machines that have none of these interpreters.
 */
#include <glob.h>

#include "../recorded/compare.h"
#include "python/tables.h"

static glob_t files;
static struct recording rec;

static void load(size_t i)
{
	char why[512];

	if (!recording__load(&rec, files.gl_pathv[i]))
		fail_msg("%s can not be read", files.gl_pathv[i]);
	recording__choose(&rec, why, sizeof(why));
	if (why[0])
		fail_msg("%s: %s", files.gl_pathv[i], why);
}

static void as_it_was_said(void **state)
{
	char why[512];

	(void)state;
	for (size_t i = 0; i < files.gl_pathc; i++) {
		load(i);
		compare__stacks(&rec, why, sizeof(why));
		if (why[0])
			fail_msg("%s: %s", files.gl_pathv[i], why);
	}
}

/* --- is there one of each? --- */

static bool is_recorded(uint32_t version, bool free_threaded)
{
	for (size_t i = 0; i < files.gl_pathc; i++) {
		load(i);
		if (rec.rt.hexversion >> 16 == version && rec.rt.free_threaded == free_threaded)
			return true;
	}
	return false;
}

static void every_version(void **state)
{
	(void)state;
	for (uint32_t v = py_table__oldest(); v <= py_table__newest(); v++)
		if (!is_recorded(v, false))
			fail_msg("no recording of %u.%u: see CONTRIBUTING.md", v >> 8, v & 255);
	/* Nowhere to be had when these were made: the free-threaded builds of 3.14 and 3.15. */
	assert_true(is_recorded(0x030d, true));
}

static void every_kind_of_build(void **state)
{
	unsigned int debug = 0, other_libc = 0, fixed = 0;

	(void)state;
	for (size_t i = 0; i < files.gl_pathc; i++) {
		load(i);
		debug += rec.rt.debug_build;
		other_libc += !rec.rt.pthread_specific;
		fixed += rec.rt.runtime < 0x10000000;
	}
	assert_true(debug >= 1);
	assert_true(other_libc >= 1);
	assert_true(fixed >= 1); /* not position independent */
}

/* --- the way to the thread state --- */

/* All of these threads wait, and are bound to their state, not attached. */
static void found_where_it_is_bound(void **state)
{
	static struct thread t;

	(void)state;
	for (size_t i = 0; i < files.gl_pathc; i++) {
		load(i);
		for (unsigned int k = 0; k < rec.n_threads; k++) {
			recorded__walk(&t, rec.threads[k].pointer);
			assert_int_equal(t.event.unwind, CT_UNWIND_COMPLETE);
			if (rec.lay.flags & CT_PY_TLS2)
				assert_int_not_equal(t.tls_at[1], 0);
			else if (rec.lay.flags & CT_PY_TSS_GLIBC)
				assert_int_not_equal(t.tss_key, 0);
			else
				assert_int_equal(rec.rt.pthread_specific, 0);
		}
	}
}

static void another_thread_has_none(void **state)
{
	static struct thread t;

	(void)state;
	for (size_t i = 0; i < files.gl_pathc; i++) {
		load(i);
		recorded__walk(&t, rec.threads[0].pointer + 4096);
		assert_int_equal(t.event.unwind, CT_UNWIND_NO_THREAD);
		assert_int_equal(t.event.stack, 0);
	}
}

/* --- a table that is wrong --- */

struct member {
	size_t at; /* in struct py_offsets */
	const char *name;
};

#define MEMBER(name)                                                                               \
	{                                                                                          \
		offsetof(struct py_offsets, name), #name                                           \
	}

static const struct member members[] = {
	MEMBER(tstate_frame),	      MEMBER(tstate_current_frame),
	MEMBER(tstate_cframe),	      MEMBER(tstate_thread_id),
	MEMBER(cframe_current_frame), MEMBER(frame_code),
	MEMBER(frame_previous),	      MEMBER(frame_instr),
	MEMBER(code_filename),	      MEMBER(code_linetable),
	MEMBER(code_firstlineno),     MEMBER(code_adaptive),
	MEMBER(code_bytes),	      MEMBER(object_type),
	MEMBER(object_size),	      MEMBER(type_name),
	MEMBER(type_basicsize),	      MEMBER(type_flags),
	MEMBER(str_length),	      MEMBER(str_state),
	MEMBER(str_kind_shift),	      MEMBER(str_ascii_data),
	MEMBER(str_compact_data),     MEMBER(bytes_data),
};

/* True if the version has no such member, or its place makes a difference. */
static bool matters(const struct member *m, int change)
{
	uint32_t *offset = (uint32_t *)((char *)&rec.off + m->at);
	char why[512] = "";

	if (*offset == PY_NO_OFFSET || (change < 0 && *offset < (uint32_t)-change))
		return true;
	*offset += change;
	recording__store_layout(&rec);
	compare__stacks(&rec, why, sizeof(why));
	*offset -= change;
	return why[0];
}

static void a_wrong_offset_is_seen(void **state)
{
	(void)state;
	for (size_t i = 0; i < files.gl_pathc; i++) {
		for (size_t k = 0; k < sizeof(members) / sizeof(members[0]); k++) {
			load(i);
			if (!matters(&members[k], 8) || !matters(&members[k], -8))
				fail_msg("%s: %s can be anything", files.gl_pathv[i],
					 members[k].name);
		}
	}
}

static int setup(void **state)
{
	const char *slash = strrchr(__FILE__, '/');
	char pattern[256];

	(void)state;
	snprintf(pattern, sizeof(pattern), "%.*s/../recorded/*.mem",
		 slash ? (int)(slash - __FILE__) : 1, slash ? __FILE__ : ".");
	return glob(pattern, 0, NULL, &files);
}

static int teardown(void **state)
{
	(void)state;
	shim__reset();
	globfree(&files);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_it_was_said),
		cmocka_unit_test(every_version),
		cmocka_unit_test(every_kind_of_build),
		cmocka_unit_test(found_where_it_is_bound),
		cmocka_unit_test(another_thread_has_none),
		cmocka_unit_test(a_wrong_offset_is_seen),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
