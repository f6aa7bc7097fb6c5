/* SPDX-License-Identifier: MIT */
#include "python_stack.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const uint32_t versions[] = {0x030b, 0x030c, 0x030d};

static void expect_unwind(enum ct_unwind unwind)
{
	assert_int_equal(take(), 0);
	assert_int_equal(thread.event.unwind, unwind);
	assert_int_equal(shim.n_records, 0);
}

/* The innermost frames of frames__push(n, ...). */
static void expect_pushed(const struct ct_stack *s, unsigned int n)
{
	unsigned int shown = n < CT_MAX_FRAMES ? n : CT_MAX_FRAMES;

	assert_int_equal(s->nframes, shown);
	assert_int_equal(s->unwind, n <= CT_MAX_FRAMES ? CT_UNWIND_COMPLETE : CT_UNWIND_TOO_DEEP);
	for (unsigned int i = 0; i < shown; i++) {
		assert_int_equal(s->frames[i].code, code_at(n - 1 - i));
		assert_int_equal(s->frames[i].offset, 2 * (n - 1 - i));
		assert_int_equal(s->frames[i].check, code__check(n - 1 - i));
	}
}

static void expect_no_failed_read(void)
{
	for (size_t i = 0; i < shim.n_reads; i++)
		if (shim.reads[i].failed)
			fail_msg("read of %u bytes at %lx", shim.reads[i].size,
				 (unsigned long)shim.reads[i].from);
}

/* --- the walk --- */

static void every_frame_up_to_the_limit(void **state)
{
	static const unsigned int depths[] = {1, 2, 12, 126, 127, 128, 300};

	(void)state;
	for (size_t v = 0; v < N(versions); v++) {
		for (size_t d = 0; d < N(depths); d++) {
			python__begin(versions[v], true);
			frames__push(depths[d], 120);
			assert_int_not_equal(take(), 0);
			expect_pushed(last_stack(), depths[d]);
			assert_int_equal(last_stack()->pid, 100);
			assert_int_equal(last_stack()->layout, SLOT);
			assert_int_equal(last_stack()->pad, 0);
			assert_int_equal(shim.n_records, 1);
			expect_no_failed_read();
		}
	}
}

/* Frames that end a slab, begin it, or lie across its border; nothing below the chunk is there. */
static void slabs_have_no_seams(void **state)
{
	static const unsigned int sizes[] = {88,  96,  104,  120,  192,	 488,
					     976, 984, 1960, 2048, 2056, 4096};

	(void)state;
	for (size_t i = 0; i < N(sizes); i++) {
		python__begin(0x030d, true);
		frames__push(60, sizes[i]);
		take();
		expect_pushed(last_stack(), 60);
		expect_no_failed_read();
		for (size_t r = 0; r < shim.n_reads; r++)
			assert_false(shim.reads[r].from < CHUNK &&
				     shim.reads[r].from + shim.reads[r].size > CHUNK);
	}
}

static size_t reads_between(uint64_t start, uint64_t end)
{
	size_t n = 0;

	for (size_t i = 0; i < shim.n_reads; i++)
		n += shim.reads[i].from >= start && shim.reads[i].from < end;
	return n;
}

/* 127 frames of 120 bytes: 2048 / 120 = 17 whole ones at least per slab, 8 slabs per walk. */
static void few_reads_of_the_data_stack(void **state)
{
	(void)state;
	python__begin(0x030d, true);
	frames__push(127, 120);
	take();
	assert_int_equal(reads_between(CHUNK, LIMIT), 2 * 8);
	shim.n_reads = 0;
	take(); /* known by now: one walk, and the names of the leaf only */
	assert_int_equal(reads_between(CHUNK, LIMIT), 8);
	assert_int_equal(reads_between(CODES, CODES + (1 << 20)), 1);
}

static void shims_are_skipped(void **state)
{
	const struct ct_stack *s;

	(void)state;
	for (uint8_t owner = 0; owner < 6; owner++) {
		python__begin(0x030d, true);
		frames__push(5, 120);
		*user__at(pushed_at(2, 120) + lay.fr_owner) = owner;
		take();
		s = last_stack();
		assert_int_equal(s->unwind, CT_UNWIND_COMPLETE);
		assert_int_equal(s->nframes, owner < 3 ? 5 : 4);
		assert_int_equal(s->frames[1].code, code_at(3));
		assert_int_equal(s->frames[2].code, code_at(owner < 3 ? 2 : 1));
		assert_int_equal(s->frames[s->nframes - 1].code, code_at(0));
	}
}

/* C code between each two calls of Python. */
static void many_shims(void **state)
{
	(void)state;
	python__begin(0x030c, true);
	frames__push(60, 120);
	for (unsigned int i = 0; i < 60; i += 2)
		*user__at(pushed_at(i, 120) + lay.fr_owner) = 3;
	take();
	assert_int_equal(last_stack()->nframes, 30);
	assert_int_equal(last_stack()->unwind, CT_UNWIND_COMPLETE);

	python__begin(0x030c, true);
	frames__push(300, 120);
	for (unsigned int i = 0; i < 300; i++)
		*user__at(pushed_at(i, 120) + lay.fr_owner) = 3;
	take();
	assert_int_equal(last_stack()->nframes, 0);
	assert_int_equal(last_stack()->unwind, CT_UNWIND_TOO_DEEP);
}

static void an_unreadable_frame_ends_the_walk(void **state)
{
	static const uint64_t bad[] = {8, 0x7f6600000000, 0xffff888000000000, ~0ull, ~87ull};

	(void)state;
	for (size_t i = 0; i < N(bad); i++) {
		const struct ct_stack *s;

		python__begin(0x030d, true);
		frames__push(40, 120);
		user__set64(pushed_at(25, 120) + lay.fr_previous, bad[i]);
		take();
		s = last_stack();
		assert_int_equal(s->unwind, CT_UNWIND_FRAME_UNREADABLE);
		assert_int_equal(s->nframes, 15);
		for (unsigned int k = 0; k < 15; k++)
			assert_int_equal(s->frames[k].code, code_at(39 - k));
	}
}

/* A read that fails leaves zeroes: they must not be taken for the frames that were there before. */
static void a_failed_read_does_not_spoil_the_stack(void **state)
{
	const uint64_t generator = 0x7f5000000100;
	const struct ct_stack *s;

	(void)state;
	python__begin(0x030d, true); /* the only frame of the thread */
	frames__push(1, 120);
	user__set64(pushed_at(0, 120) + lay.fr_previous, 0x7f6600000000);
	take();
	s = last_stack();
	assert_int_equal(s->unwind, CT_UNWIND_FRAME_UNREADABLE);
	assert_int_equal(s->nframes, 1);
	assert_int_equal(s->frames[0].code, code_at(0));

	python__begin(0x030d, true); /* a generator that was read alone */
	code__make(9);
	frame__make(generator, code_at(9), 18, 0x7f6600000000, 1);
	leaf__set(generator);
	take();
	s = last_stack();
	assert_int_equal(s->unwind, CT_UNWIND_FRAME_UNREADABLE);
	assert_int_equal(s->nframes, 1);
	assert_int_equal(s->frames[0].code, code_at(9));
}

/* A page of the data stack that is not there, below the slab of the leaf. */
static void a_missing_page_of_the_data_stack(void **state)
{
	const struct ct_stack *s;

	(void)state;
	python__begin(0x030d, true);
	frames__push(40, 488);
	user__unmap(CHUNK + 2 * 4096);
	take();
	s = last_stack();
	assert_int_equal(s->unwind, CT_UNWIND_FRAME_UNREADABLE);
	assert_in_range(s->nframes, 4, 39);
	for (unsigned int i = 0; i < s->nframes; i++)
		assert_int_equal(s->frames[i].code, code_at(39 - i));
}

static void an_unreadable_leaf_is_an_empty_stack(void **state)
{
	(void)state;
	python__begin(0x030d, true);
	leaf__set(0x7f6600000000);
	assert_int_not_equal(take(), 0);
	assert_int_equal(last_stack()->nframes, 0);
	assert_int_equal(last_stack()->unwind, CT_UNWIND_FRAME_UNREADABLE);
}

static void cycles_end(void **state)
{
	const struct ct_stack *s;

	(void)state;
	python__begin(0x030d, true);
	frames__push(3, 120);
	user__set64(pushed_at(0, 120) + lay.fr_previous, pushed_at(2, 120));
	take();
	s = last_stack();
	assert_int_equal(s->nframes, CT_MAX_FRAMES);
	assert_int_equal(s->unwind, CT_UNWIND_TOO_DEEP);
	for (unsigned int i = 0; i < CT_MAX_FRAMES; i++)
		assert_int_equal(s->frames[i].code, code_at(2 - i % 3));
}

/* Generators keep their frames in themselves: right at the end of what is mapped, here. */
static void frames_elsewhere_are_read_alone(void **state)
{
	const uint64_t generator = 0x7f5000001000 - CT_FRAME_READ;
	const struct ct_stack *s;

	(void)state;
	python__begin(0x030d, true);
	frames__push(4, 120);
	code__make(9);
	frame__make(generator, code_at(9), 18, pushed_at(2, 120), 1);
	user__set64(pushed_at(3, 120) + lay.fr_previous, generator);
	take();
	s = last_stack();
	assert_int_equal(s->unwind, CT_UNWIND_COMPLETE);
	assert_int_equal(s->nframes, 5);
	assert_int_equal(s->frames[0].code, code_at(3));
	assert_int_equal(s->frames[1].code, code_at(9));
	assert_int_equal(s->frames[1].offset, 18);
	assert_int_equal(s->frames[4].code, code_at(0));
	expect_no_failed_read();
	for (size_t i = 0; i < shim.n_reads; i++)
		if (shim.reads[i].from >= generator - SLAB_SIZE &&
		    shim.reads[i].from < generator + CT_FRAME_READ) {
			assert_int_equal(shim.reads[i].from, generator);
			assert_int_equal(shim.reads[i].size, CT_FRAME_READ);
		}
}

static void instructions_outside_of_the_code_are_marked(void **state)
{
	const struct ct_stack *s;

	(void)state;
	python__begin(0x030d, true);
	frames__push(4, 120);
	user__set64(pushed_at(0, 120) + lay.fr_instr, code_at(0) - 2);
	user__set64(pushed_at(1, 120) + lay.fr_instr, code_at(1) + lay.code_size_max);
	user__set64(pushed_at(2, 120) + lay.fr_instr, code_at(2) + lay.code_size_max - 1);
	user__set64(pushed_at(3, 120) + lay.fr_instr, 0);
	take();
	s = last_stack();
	assert_int_equal(s->nframes, 4);
	assert_int_equal(s->frames[0].offset, ~0u);
	assert_int_equal(s->frames[1].offset, lay.code_size_max - 1);
	assert_int_equal(s->frames[2].offset, ~0u);
	assert_int_equal(s->frames[3].offset, ~0u);
}

/* --- the id --- */

static uint64_t id_of(unsigned int n, unsigned int size)
{
	python__begin(0x030d, true);
	frames__push(n, size);
	return take();
}

static void the_same_stack_has_the_same_id(void **state)
{
	uint64_t id = id_of(20, 120);

	(void)state;
	assert_int_not_equal(id, 0);
	assert_int_equal(take(), id);
	assert_int_equal(shim.n_records, 1); /* sent once */
	assert_int_equal(id_of(20, 320), id); /* other frames in memory, same code */
	assert_int_not_equal(id_of(19, 120), id);
	assert_int_not_equal(id_of(21, 120), id);
	python__begin(0x030d, true);
	frames__push(20, 120);
	lay.cookie++;
	bpf_map_update_elem(&layouts, &(uint32_t){SLOT}, &lay, BPF_ANY);
	assert_int_not_equal(take(), id);
}

static void one_instruction_makes_another_stack(void **state)
{
	uint64_t id = id_of(20, 120), seen[20];

	(void)state;
	for (unsigned int i = 0; i < 20; i++) {
		uint64_t at = pushed_at(i, 120) + lay.fr_instr;

		user__set64(at, code_at(i) + 2 * i + 2);
		seen[i] = take();
		assert_int_not_equal(seen[i], id);
		assert_int_equal(shim.n_records, 2 + i);
		for (unsigned int k = 0; k < i; k++)
			assert_int_not_equal(seen[i], seen[k]);
		user__set64(at, code_at(i) + 2 * i);
		assert_int_equal(take(), id);
		assert_int_equal(shim.n_records, 2 + i);
	}
}

/* A stack that is cut is not the stack that ends there. */
static void how_it_ends_is_part_of_the_id(void **state)
{
	uint64_t id = id_of(1, 120);

	(void)state;
	python__begin(0x030d, true);
	frames__push(1, 120);
	user__set64(pushed_at(0, 120) + lay.fr_previous, 0x7f6600000000);
	assert_int_not_equal(take(), id);
	assert_int_equal(thread.event.unwind, CT_UNWIND_FRAME_UNREADABLE);
}

/* A code object was freed, and another took its place. */
static void the_names_of_the_leaf_are_always_looked_at(void **state)
{
	(void)state;
	for (unsigned int which = 0; which < CT_CODE_NAMES; which++) {
		uint64_t id = id_of(5, 120), name = 0x7f4000000000 + 0x1000 * 4 + 64 * which;

		code__name(4, which, name + 16);
		assert_int_not_equal(take(), id);
		assert_int_not_equal(last_stack()->frames[0].check, code__check(4));
		assert_int_equal(last_stack()->frames[1].check, code__check(3));
		code__name(4, which, name);
		assert_int_equal(take(), id);
	}
}

/* Those of its callers when any word of the frame has changed: another call, then. */
static void the_names_of_callers_are_looked_at_when_their_frame_changed(void **state)
{
	(void)state;
	for (unsigned int at = 0; at < CT_FRAME_READ; at += 8) {
		uint64_t id = id_of(5, 120), frame = pushed_at(2, 120);
		uint64_t value;

		memcpy(&value, user__at(frame + at), 8);
		code__name(2, 1, 0x7f4444444440);
		assert_int_equal(take(), id); /* not a word: remembered */
		if (at == lay.fr_code || at == lay.fr_previous || at == lay.fr_instr)
			continue; /* another stack anyway */
		user__set64(frame + at, value ^ 1);
		assert_int_not_equal(take(), id);
		assert_int_not_equal(last_stack()->frames[2].check, code__check(2));
		code__name(2, 1, 0x7f4000000000 + 0x1000 * 2 + 64);
		user__set64(frame + at, value);
		assert_int_equal(take(), id);
	}
}

static void code_that_can_not_be_read_has_the_digest_of_nothing(void **state)
{
	(void)state;
	python__begin(0x030d, true);
	frames__push(1, 120);
	user__set64(pushed_at(0, 120) + lay.fr_code, 0x7f6600000000);
	take();
	assert_int_equal(last_stack()->nframes, 1);
	assert_int_equal(last_stack()->frames[0].check, ct_code_digest(0, 0, 0, 0));
	assert_int_equal(last_stack()->unwind, CT_UNWIND_COMPLETE);
}

/* --- finding the thread --- */

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

/* --- records --- */

static void a_lost_record_is_sent_the_next_time(void **state)
{
	(void)state;
	python__begin(0x030d, true);
	frames__push(3, 120);
	shim.meta_full = true;
	expect_unwind(CT_UNWIND_STACK_LOST);
	assert_int_equal(counter(CT_COUNT_META_LOST), 1);
	shim.meta_full = false;
	assert_int_not_equal(take(), 0);
	expect_pushed(last_stack(), 3);
	assert_int_equal(thread.event.unwind, CT_UNWIND_COMPLETE);
}

static int teardown(void **state)
{
	(void)state;
	shim__reset();
	return 0;
}

#define TEST(f) cmocka_unit_test_teardown(f, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_frame_up_to_the_limit),
		TEST(slabs_have_no_seams),
		TEST(few_reads_of_the_data_stack),
		TEST(shims_are_skipped),
		TEST(many_shims),
		TEST(an_unreadable_frame_ends_the_walk),
		TEST(a_failed_read_does_not_spoil_the_stack),
		TEST(a_missing_page_of_the_data_stack),
		TEST(an_unreadable_leaf_is_an_empty_stack),
		TEST(cycles_end),
		TEST(frames_elsewhere_are_read_alone),
		TEST(instructions_outside_of_the_code_are_marked),
		TEST(the_same_stack_has_the_same_id),
		TEST(one_instruction_makes_another_stack),
		TEST(how_it_ends_is_part_of_the_id),
		TEST(the_names_of_the_leaf_are_always_looked_at),
		TEST(the_names_of_callers_are_looked_at_when_their_frame_changed),
		TEST(code_that_can_not_be_read_has_the_digest_of_nothing),
		TEST(no_python_no_thread_no_frame),
		TEST(a_native_thread_does_not_search_the_list),
		TEST(the_key_is_remembered),
		TEST(the_state_must_be_of_this_thread),
		TEST(tstate_current),
		TEST(the_list_of_threads),
		TEST(the_list_of_threads_is_bounded),
		TEST(without_a_usable_key_the_list_is_asked),
		TEST(writes_to_the_data_stack_are_marked),
		TEST(a_lost_record_is_sent_the_next_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
