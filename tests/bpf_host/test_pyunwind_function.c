/* SPDX-License-Identifier: MIT */
/* 3.11: the version of a function proves that its code object is still the same. */
#include "python_stack.h"

static uint64_t begin_with_versions(unsigned int n)
{
	uint64_t id;

	python__begin(0x030b, true);
	frames__push(n, 120);
	for (unsigned int i = 0; i < n; i++)
		function__set_version(i, 70 + i);
	thread.counted = true; /* without the instruction */
	id = take();
	shim.n_reads = 0;
	return id;
}

static size_t looks_at_code(void)
{
	return reads_between(CODES, CODES + (1 << 20)) + reads_between(NAMES, NAMES + (1 << 20)) +
	       reads_between(TABLES, TABLES + (1 << 20)) + reads_between(FILES, FILES + (1 << 20));
}

static void code_of_an_unchanged_function_is_not_read_again(void **state)
{
	uint64_t id = begin_with_versions(5);

	(void)state;
	assert_int_equal(take(), id);
	assert_int_equal(looks_at_code(), 0);
	assert_int_equal(reads_between(FUNCTIONS, FUNCTIONS + (1 << 24)), 5);
	/* another function of the same code */
	user__set64(pushed_at(2, 120) + lay.fr_func, function_of(code_at(9)));
	user__set32(function_of(code_at(9)) + lay.func_version, 172);
	shim.n_reads = 0;
	assert_int_equal(take(), id);
	assert_int_equal(reads_between(CODES, CODES + (1 << 20)), 1);
}

/* What was freed and made anew has no version, or another one. */
static void expect_another_is_seen(void)
{
	uint64_t id = take();
	uint32_t check = code__check(2);

	str__make(name_at(2), "a third");
	shim.n_reads = 0;
	assert_int_not_equal(take(), id);
	assert_int_not_equal(code__check(2), check);
	assert_int_equal(last_stack()->frames[2].check, code__check(2));
	assert_true(looks_at_code() > 0);
}

static void another_version_is_another_code_object(void **state)
{
	static const uint32_t versions_after[] = {0, 1, 71, 73, ~0u};

	(void)state;
	for (size_t i = 0; i < N(versions_after); i++) {
		begin_with_versions(5);
		for (int n = 0; n < 20; n++) /* whenever it is */
			take();
		function__set_version(2, versions_after[i]);
		str__make(name_at(2), "another");
		take();
		assert_int_equal(last_stack()->frames[2].check, code__check(2));
		if (!versions_after[i]) /* and from then on, each time */
			expect_another_is_seen();
	}
	begin_with_versions(5);
	thread.execs++; /* another program with the same numbers */
	str__make(name_at(2), "another");
	take();
	assert_int_equal(last_stack()->frames[2].check, code__check(2));
}

static void a_function_that_gets_a_version(void **state)
{
	(void)state;
	begin_with_versions(5);
	function__set_version(2, 0);
	for (int n = 0; n < 40; n++) {
		char name[] = {'f', (char)('0' + n), 0};

		str__make(name_at(2), name);
		take();
		assert_int_equal(last_stack()->frames[2].check, code__check(2));
	}
	shim.n_reads = 0; /* it is not asked for one each time */
	for (int n = 0; n < 16; n++)
		take();
	assert_int_equal(reads_between(function_of(code_at(2)), function_of(code_at(2)) + 256), 1);
	assert_int_equal(reads_between(code_at(2), code_at(3)), 16);
	function__set_version(2, 99);
	for (int n = 0; n < 16; n++)
		take();
	shim.n_reads = 0;
	take();
	assert_int_equal(looks_at_code(), 0);
}

/* Where frames stay as they are, their versions do. Of code objects beyond, more of them than there
 * are places, those that have one keep it; the first walks give them one. */
static void a_deep_stack_keeps_its_places(void **state)
{
	static const struct {
		unsigned int frames, looks;
		int from;
	} cases[] = {{CODE_MEMOS * 3 / 4, 4, 1},
		     {CODE_MEMOS, 12, 1},
		     {100, 100 - CODE_MEMOS * 7 / 8, 1},
		     {CODE_VERSIONS, 0, 1},
		     {100, 4, 4},
		     {CODE_VERSIONS + CODE_MEMOS * 3 / 4, 4, 4},
		     {CODE_VERSIONS + CODE_MEMOS, 12, 4},
		     {CODE_VERSIONS + 100, 100 - CODE_MEMOS * 7 / 8, 4}};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		begin_with_versions(cases[i].frames);
		for (int n = 0; n < 300; n++) { /* the byte that says when begins anew */
			shim.n_reads = 0;
			take();
			if (n >= cases[i].from)
				assert_in_range(reads_between(CODES, CODES + (1 << 20)), 0,
						cases[i].looks);
		}
		teardown(NULL);
	}
}

/* A frame is compared with what was there when the stack was last so deep. */
static void a_stack_that_was_less_deep(void **state)
{
	(void)state;
	begin_with_versions(6);
	user__set64(pushed_at(2, 120) + lay.fr_previous, 0);
	take();
	assert_int_equal(last_stack()->nframes, 4);
	user__set64(pushed_at(2, 120) + lay.fr_previous, pushed_at(1, 120));
	shim.n_reads = 0;
	take();
	assert_int_equal(thread.stack.nframes, 6);
	assert_int_equal(looks_at_code(), 0);
	user__set64(pushed_at(2, 120) + lay.fr_previous, 0);
	take();
	user__set64(pushed_at(2, 120) + lay.fr_previous, pushed_at(1, 120));
	function__set_version(1, 174);
	str__make(name_at(1), "another");
	take();
	assert_int_equal(last_stack()->frames[4].check, code__check(1));
}

/* A fresh child has not mapped all pages: what has failed is tried again. */
static void code_that_comes_later(void **state)
{
	uint64_t words[CT_CODE_READ_MAX / 8];

	(void)state;
	begin_with_versions(5);
	assert_true(user__copy((uint8_t *)words, code_at(2), sizeof(words)));
	user__set64(pushed_at(2, 120) + lay.fr_code, NOWHERE);
	take();
	take();
	assert_int_equal(last_stack()->frames[2].code, NOWHERE);
	assert_int_equal(last_stack()->frames[2].check, 0);
	user__write(NOWHERE, words, sizeof(words));
	take();
	assert_int_equal(last_stack()->frames[2].check, code__check(2));
}

/* Sub-interpreters take turns in a thread: what is known of one says nothing of the other. */
static void a_frame_of_another_interpreter(void **state)
{
	(void)state;
	begin_with_versions(5);
	assert_int_equal(thread.versions[2], 72);
	thread.execs++;
	for (unsigned int i = 0; i < 5; i++)
		function__set_version(i, 0);
	user__set64(pushed_at(3, 120) + lay.fr_previous,
		    0); /* two frames: the rest is not visited */
	take();
	for (unsigned int i = 0; i < N(thread.versions); i++)
		assert_int_equal(thread.versions[i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_deep_stack_keeps_its_places),
		TEST(code_of_an_unchanged_function_is_not_read_again),
		TEST(another_version_is_another_code_object),
		TEST(a_function_that_gets_a_version),
		TEST(a_stack_that_was_less_deep),
		TEST(code_that_comes_later),
		TEST(a_frame_of_another_interpreter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
