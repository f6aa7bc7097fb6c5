/* SPDX-License-Identifier: MIT */
/* Which thread state is that of the current thread? */
#include "python_stack.h"

/* Another state of the same thread, of another interpreter, in the middle of code 7. */
#define OTHER	    0x7f1100000100ul
#define OTHER_FRAME 0x7f5100000100ul

static void other__make(void)
{
	code__make(7);
	frame__make(OTHER_FRAME, code_at(7), 4, 0, 0);
	tstate__make(OTHER, FSBASE, 0);
	if (lay.flags & CT_PY_CFRAME) {
		user__set64(OTHER + lay.ts_frame, CFRAME + 128);
		user__set64(CFRAME + 128 + lay.cframe_current, OTHER_FRAME);
	} else {
		user__set64(OTHER + lay.ts_frame, OTHER_FRAME);
	}
}

static void expect_other(void)
{
	assert_int_not_equal(take(), 0);
	assert_int_equal(thread.stack.nframes, 1);
	assert_int_equal(thread.stack.frames[0].code, code_at(7));
}

static void expect_own(unsigned int n)
{
	assert_int_not_equal(take(), 0);
	assert_int_equal(thread.stack.nframes, n);
	assert_int_equal(thread.stack.frames[0].code, code_at(n - 1));
}

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

	EACH_PYTHON
	{
		python__begin(*v, true);
		expect_unwind(CT_UNWIND_NO_FRAME);

		python__begin(*v, true);
		frames__push(2, 120);
		bound__set(0);
		expect_unwind(CT_UNWIND_NO_THREAD);

		python__begin(*v, true);
		frames__push(2, 120);
		thread.event.thread_pointer = 0; /* right after exec */
		shim.n_reads = 0;
		expect_unwind(CT_UNWIND_NO_THREAD);
		assert_int_equal(shim.n_reads, 0);
	}
}

static void list__make(unsigned int n);

/* A C thread of a glibc process: a copy costs it a few reads, not a walk over all threads. */
static void a_native_thread_does_not_search_the_list(void **state)
{
	(void)state;
	EACH_PYTHON
	{
		python__begin(*v, true);
		frames__push(2, 120);
		bound__set(0);
		list__make(1);
		expect_unwind(CT_UNWIND_NO_THREAD);
		expect_unwind(CT_UNWIND_NO_THREAD);
		assert_int_equal(reads_between(TSTATE, TSTATE + 4096), 0);
		assert_true(shim.n_reads <= 6);
	}
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
	EACH_PYTHON
	{
		python__begin(*v, true);
		frames__push(2, 120);
		user__set64(TSTATE + lay.ts_thread_id, FSBASE + 64);
		if (lay.flags & CT_PY_TSTATE_CURRENT)
			user__set64(RUNTIME + lay.rt_tstate_current, TSTATE);
		expect_unwind(CT_UNWIND_NO_THREAD);
	}
}

static void a_state_that_can_not_be_read(void **state)
{
	(void)state;
	EACH_PYTHON
	{
		python__begin(*v, true);
		bound__set(NOWHERE);
		expect_unwind(CT_UNWIND_TSTATE_UNREADABLE);
		python__begin(*v, false); /* in the list */
		list__make(2);
		user__set64(INTERP + lay.interp_threads_head, NOWHERE);
		expect_unwind(CT_UNWIND_TSTATE_UNREADABLE);
	}
}

/* Up to 3.11: who holds the GIL. */
static void tstate_current(void **state)
{
	(void)state;
	for (uint32_t version = 0x0308; version <= 0x030b; version++) {
		python__begin(version, false); /* musl and others */
		assert_true(lay.flags & CT_PY_TSTATE_CURRENT);
		frames__push(3, 120);
		user__set64(RUNTIME + lay.rt_tstate_current, TSTATE);
		expect_own(3);
		expect_no_failed_read();

		/* the thread has released the GIL, and another has taken it */
		python__begin(version, true);
		frames__push(3, 120);
		other__make();
		user__set64(OTHER + lay.ts_thread_id, FSBASE + 64);
		user__set64(RUNTIME + lay.rt_tstate_current, OTHER);
		expect_own(3);

		/* the key has the state of the main interpreter, a sub-interpreter is running */
		python__begin(version, true);
		frames__push(3, 120);
		other__make();
		user__set64(RUNTIME + lay.rt_tstate_current, OTHER);
		expect_other();
	}
	/* not in 3.12 */
	python__begin(0x030c, false);
	frames__push(3, 120);
	user__set64(RUNTIME, TSTATE);
	expect_unwind(CT_UNWIND_NO_THREAD);
}

/* --- thread-local variables (3.12+) --- */

#define DTV    0x7f5800000010ul
#define BLOCK  0x7f5900000000ul
#define MODULE 3u

/* At an offset from the thread pointer, or in the block of a module. */
static void tls__set(unsigned int module, uint64_t value)
{
	lay.flags |= CT_PY_TLS;
	lay.tls_module = module;
	lay.tls_offset = module ? 16 : -24;
	layout__store();
	if (module) {
		user__set64(FSBASE + 8, DTV);
		user__set64(DTV + 16 * module, BLOCK);
		user__set64(BLOCK + 16, value);
	} else {
		user__set64(FSBASE - 24, value);
	}
}

static bool has_tls(void)
{
	return lay.version >= 0x030c;
}

static void thread_local_variables(void **state)
{
	(void)state;
	EACH_PYTHON
	{
		for (unsigned int module = 0; module <= MODULE; module += MODULE) {
			for (int glibc = 0; glibc <= 1; glibc++) {
				python__begin(*v, glibc);
				if (!has_tls())
					continue;
				frames__push(3, 120);
				tls__set(module, TSTATE);
				expect_own(3);
				expect_no_failed_read();
				/* several interpreters in one thread: the attached one counts */
				other__make();
				tls__set(module, OTHER);
				expect_other();
			}
			/* released: the bound one */
			python__begin(*v, true);
			if (!has_tls())
				continue;
			frames__push(3, 120);
			tls__set(module, 0);
			expect_own(3);
			bound__set(0);
			assert_int_equal(take(), 0);
			assert_int_equal(thread.event.unwind, CT_UNWIND_NO_THREAD);
		}
	}
}

/* It stays where it is: looked up once, and again when it leads nowhere or in another program. */
static void the_address_of_the_variable_is_remembered(void **state)
{
	(void)state;
	python__begin(0x030d, true);
	frames__push(3, 120);
	tls__set(MODULE, TSTATE);
	expect_own(3);
	assert_int_equal(reads_between(DTV, DTV + 4096), 1);
	expect_own(3);
	assert_int_equal(reads_between(DTV, DTV + 4096), 1);
	/* the module has been loaded anew */
	key__set(1, TSS_KEY, 0);
	user__set64(BLOCK + 16, NOWHERE);
	user__set64(DTV + 16 * MODULE, BLOCK + 4096);
	user__set64(BLOCK + 4096 + 16, TSTATE);
	assert_int_equal(take(), 0);
	expect_own(3);
}

static void hostile_thread_vectors(void **state)
{
	static const uint64_t bad[] = {0, 1, 8, ~0ull, ~7ull, NOWHERE, 0xffff888000000000};

	(void)state;
	for (size_t i = 0; i < N(bad); i++) {
		for (int what = 0; what < 3; what++) {
			python__begin(0x030d, true);
			frames__push(3, 120);
			tls__set(MODULE, TSTATE);
			user__set64(what == 0	? FSBASE + 8
				    : what == 1 ? DTV + 16 * MODULE
						: BLOCK + 16,
				    bad[i]);
			expect_own(3); /* by the key */
			key__set(1, TSS_KEY, 0);
			assert_int_equal(take(), 0);
			assert_int_equal(thread.event.unwind, what == 2 && bad[i]
								      ? CT_UNWIND_TSTATE_UNREADABLE
								      : CT_UNWIND_NO_THREAD);
		}
	}
	python__begin(0x030d, true);
	frames__push(3, 120);
	tls__set(MODULE, TSTATE);
	lay.tls_module = ~0u;
	layout__store();
	expect_own(3);
}

/* --- the lists --- */

#define OTHERS 0x7f7100000000ul

/* n thread states of the main interpreter, that of this thread the last. */
static void list__make(unsigned int n)
{
	for (unsigned int i = 0; i + 1 < n; i++)
		tstate__make(OTHERS + 1024 * i, FSBASE + 0x10000 * (i + 1),
			     i + 2 < n ? OTHERS + 1024 * (i + 1) : TSTATE);
	user__set64(RUNTIME + lay.rt_interpreters_head, INTERP);
	user__set64(INTERP + lay.interp_next, 0);
	user__set64(INTERP + lay.interp_threads_head, n > 1 ? OTHERS : TSTATE);
}

static void the_list_of_threads(void **state)
{
	static const unsigned int lengths[] = {1, 2, 63, 64};

	(void)state;
	EACH_PYTHON
	{
		for (size_t i = 0; i < N(lengths); i++) {
			python__begin(*v, false);
			frames__push(3, 120);
			list__make(lengths[i]);
			expect_own(3);
		}
	}
}

/* The newest interpreter comes first; each has one thread of its own. */
static void interpreters__make(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		uint64_t interp = INTERP + 0x10000 * i, tstate = OTHERS + 1024 * i;

		tstate__make(tstate, FSBASE + 0x10000 * (i + 1), 0);
		user__set64(interp + lay.interp_next, i + 1 < n ? interp + 0x10000 : 0);
		user__set64(interp + lay.interp_threads_head, i + 1 < n ? tstate : TSTATE);
	}
	user__set64(RUNTIME + lay.rt_interpreters_head, INTERP);
}

static void all_interpreters(void **state)
{
	(void)state;
	EACH_PYTHON
	{
		for (unsigned int n = 1; n <= 8; n++) {
			python__begin(*v, false);
			frames__push(3, 120);
			interpreters__make(n);
			expect_own(3);
		}
		python__begin(*v, false);
		frames__push(3, 120);
		interpreters__make(9);
		expect_unwind(CT_UNWIND_NO_THREAD);
	}
}

static void lists_are_bounded(void **state)
{
	(void)state;
	python__begin(0x030d, false);
	frames__push(3, 120);
	list__make(80);
	expect_unwind(CT_UNWIND_NO_THREAD);
	assert_true(shim.n_reads <= 64 + 8 + 4);
	/* cycles of threads and of interpreters */
	python__begin(0x030d, false);
	frames__push(3, 120);
	list__make(3);
	user__set64(OTHERS + 1024 + lay.ts_next, OTHERS);
	expect_unwind(CT_UNWIND_NO_THREAD);
	assert_true(shim.n_reads <= 64 + 8 + 4);
	python__begin(0x030d, false);
	frames__push(3, 120);
	interpreters__make(3);
	user__set64(INTERP + 0x20000 + lay.interp_threads_head, OTHERS);
	user__set64(INTERP + 0x20000 + lay.interp_next, INTERP);
	expect_unwind(CT_UNWIND_NO_THREAD);
	assert_true(shim.n_reads <= 64 + 16 + 4);
	/* a state that is not there: the next interpreter is asked */
	python__begin(0x030d, false);
	frames__push(3, 120);
	interpreters__make(3);
	user__set64(INTERP + lay.interp_threads_head, NOWHERE);
	expect_own(3);
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
		expect_own(3);
		assert_int_equal(thread.tss_key, 0);
	}
}

/* --- what the state tells --- */

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

static uint16_t gc_flag(uint32_t version, uint32_t value)
{
	python__begin(version, true); /* a thread without frames can collect too */
	user__set32(gc_at(), value);
	take();
	assert_int_equal(thread.event.unwind, CT_UNWIND_NO_FRAME);
	return thread.event.flags & CT_F_GC_COLLECTING;
}

static void collecting_is_one_exactly(void **state)
{
	(void)state;
	EACH_PYTHON
	{
		assert_int_equal(gc_flag(*v, 1), CT_F_GC_COLLECTING);
		assert_int_equal(gc_flag(*v, 0), 0);
		assert_int_equal(gc_flag(*v, 2), 0);
		assert_int_equal(gc_flag(*v, 0x101), 0);
		assert_int_equal(lay.gc_collecting != 0, *v == 0x0308);

		python__begin(*v, true); /* of the thread's own interpreter */
		user__set32(gc_at(), 1);
		user__set64(TSTATE + lay.ts_interp, 0x7f7200000000);
		take();
		assert_int_equal(thread.event.flags & CT_F_GC_COLLECTING,
				 lay.gc_collecting ? CT_F_GC_COLLECTING : 0);
		python__begin(*v, true);
		user__set32(gc_at(), 1);
		thread.counted = true; /* needs no more evidence */
		take();
		assert_int_equal(thread.event.flags & CT_F_GC_COLLECTING, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_python_no_thread_no_frame),
		TEST(a_native_thread_does_not_search_the_list),
		TEST(the_key_is_remembered),
		TEST(the_state_must_be_of_this_thread),
		TEST(a_state_that_can_not_be_read),
		TEST(tstate_current),
		TEST(thread_local_variables),
		TEST(the_address_of_the_variable_is_remembered),
		TEST(hostile_thread_vectors),
		TEST(the_list_of_threads),
		TEST(all_interpreters),
		TEST(lists_are_bounded),
		TEST(without_a_usable_key_the_list_is_asked),
		TEST(writes_to_the_data_stack_are_marked),
		TEST(collecting_is_one_exactly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
