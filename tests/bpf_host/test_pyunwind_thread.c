/* SPDX-License-Identifier: MIT */
/* Which thread state is that of the current thread? */
#include "python_stack.h"

static void no_python_no_thread_no_frame(void **state)
{
	(void)state;
	python__begin(0x030d, true);
	frames__push(2, 120);
	thread.layout = 0;
	expect_unwind(CT_UNWIND_NO_PYTHON);
	assert_int_equal(thread.event.layout, 0);
	assert_int_equal(shim.n_reads, 0);
	thread.layout = CT_MAX_LAYOUTS;
	expect_unwind(CT_UNWIND_NO_PYTHON);

	python__begin(0x030d, true);
	expect_unwind(CT_UNWIND_NO_FRAME);
	python__begin(0x030b, true);
	expect_unwind(CT_UNWIND_NO_FRAME);

	python__begin(0x030d, true);
	frames__push(2, 120);
	key__set(1, TSS_KEY, 0);
	expect_unwind(CT_UNWIND_NO_THREAD);
}

/* A C thread of a glibc process: a copy costs it three reads, not a walk over all threads. */
static void a_native_thread_does_not_search_the_list(void **state)
{
	(void)state;
	python__begin(0x030d, true);
	frames__push(2, 120);
	key__set(1, TSS_KEY, 0);
	user__set64(RUNTIME + lay.rt_interpreters_main, 0x7f7000000000);
	user__set64(0x7f7000000000 + lay.interp_threads_head, TSTATE);
	expect_unwind(CT_UNWIND_NO_THREAD);
	assert_int_equal(shim.n_reads, 2);
	expect_unwind(CT_UNWIND_NO_THREAD);
	assert_int_equal(shim.n_reads, 3);
}

static void the_key_is_remembered(void **state)
{
	uint64_t id;

	(void)state;
	python__begin(0x030d, true);
	frames__push(2, 120);
	id = take();
	assert_int_not_equal(id, 0);
	assert_int_equal(thread.tss_key, TSS_KEY + 1);
	key__set(1, 7, 0); /* made anew by a fork elsewhere; ours still has its value */
	assert_int_equal(take(), id);
	assert_int_equal(reads_between(RUNTIME, RUNTIME + (1 << 20)), 1);
}

/* A state of another thread is never believed, wherever it is found. */
static void the_state_must_be_of_this_thread(void **state)
{
	(void)state;
	for (size_t v = 0; v < N(versions); v++) {
		python__begin(versions[v], true);
		frames__push(2, 120);
		user__set64(TSTATE + lay.ts_thread_id, FSBASE + 64);
		if (lay.flags & CT_PY_TSTATE_CURRENT)
			user__set64(RUNTIME + lay.rt_tstate_current, TSTATE);
		expect_unwind(CT_UNWIND_NO_THREAD);
		python__begin(versions[v], true);
		key__set(1, TSS_KEY, 0x7f6600000000);
		expect_unwind(CT_UNWIND_NO_THREAD);
	}
}

/* musl and others: 3.11 tells who holds the GIL. */
static void tstate_current(void **state)
{
	(void)state;
	python__begin(0x030b, false);
	assert_true(lay.flags & CT_PY_TSTATE_CURRENT);
	frames__push(3, 120);
	user__set64(RUNTIME + lay.rt_tstate_current, TSTATE);
	take();
	expect_pushed(last_stack(), 3);
	expect_no_failed_read();
	/* not in 3.12 */
	python__begin(0x030c, false);
	frames__push(3, 120);
	user__set64(RUNTIME, TSTATE);
	expect_unwind(CT_UNWIND_NO_THREAD);
}

#define INTERP 0x7f7000000000ul
#define OTHERS 0x7f7100000000ul

/* n thread states, that of this thread the last. */
static void list__make(unsigned int n)
{
	for (unsigned int i = 0; i + 1 < n; i++)
		tstate__make(OTHERS + 1024 * i, FSBASE + 0x10000 * (i + 1),
			     i + 2 < n ? OTHERS + 1024 * (i + 1) : TSTATE);
	user__set64(RUNTIME + lay.rt_interpreters_main, INTERP);
	user__set64(INTERP + lay.interp_threads_head, n > 1 ? OTHERS : TSTATE);
}

static void the_list_of_threads(void **state)
{
	static const unsigned int lengths[] = {1, 2, 63, 64};

	(void)state;
	for (size_t i = 0; i < N(lengths); i++) {
		python__begin(0x030d, false);
		frames__push(3, 120);
		list__make(lengths[i]);
		take();
		expect_pushed(last_stack(), 3);
	}
}

static void the_list_of_threads_is_bounded(void **state)
{
	(void)state;
	python__begin(0x030d, false);
	frames__push(3, 120);
	list__make(65);
	expect_unwind(CT_UNWIND_NO_THREAD);
	assert_true(shim.n_reads <= 64 + 4);
	/* a cycle */
	python__begin(0x030d, false);
	frames__push(3, 120);
	list__make(3);
	user__set64(OTHERS + 1024 + lay.ts_next, OTHERS);
	expect_unwind(CT_UNWIND_NO_THREAD);
	assert_true(shim.n_reads <= 64 + 4);
	/* a state that is not there */
	python__begin(0x030d, false);
	frames__push(3, 120);
	list__make(3);
	user__set64(OTHERS + lay.ts_next, 0x7f6600000000);
	expect_unwind(CT_UNWIND_NO_THREAD);
	assert_true(shim.n_reads <= 64 + 4);
}

/* Before the interpreter is initialised, or with a key that glibc keeps elsewhere. */
static void without_a_usable_key_the_list_is_asked(void **state)
{
	static const uint32_t keys[][2] = {{0, TSS_KEY}, {1, 32}, {1, ~0u}};

	(void)state;
	for (size_t i = 0; i < N(keys); i++) {
		python__begin(0x030d, true);
		frames__push(3, 120);
		list__make(2);
		user__set32(RUNTIME + lay.rt_tss_key - 4, keys[i][0]);
		user__set32(RUNTIME + lay.rt_tss_key, keys[i][1]);
		take();
		expect_pushed(last_stack(), 3);
		assert_int_equal(thread.tss_key, 0);
	}
}

static void writes_to_the_data_stack_are_marked(void **state)
{
	static const struct {
		uint64_t addr;
		bool inside;
	} cases[] = {{CHUNK - 1, false}, {CHUNK, true}, {LIMIT - 1, true}, {LIMIT, false}};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		python__begin(0x030d, true);
		frames__push(1, 120);
		thread.event.addr = cases[i].addr;
		take();
		assert_int_equal(thread.event.flags, cases[i].inside ? CT_F_DATASTACK : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_python_no_thread_no_frame),
		TEST(a_native_thread_does_not_search_the_list),
		TEST(the_key_is_remembered),
		TEST(the_state_must_be_of_this_thread),
		TEST(tstate_current),
		TEST(the_list_of_threads),
		TEST(the_list_of_threads_is_bounded),
		TEST(without_a_usable_key_the_list_is_asked),
		TEST(writes_to_the_data_stack_are_marked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
