/* SPDX-License-Identifier: MIT */
/* The walk over the frames, and the id that it makes. */
#include "python_stack.h"

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

/* A page of the data stack that is not there, right below the slab of the leaf. */
static void a_missing_page_of_the_data_stack(void **state)
{
	const struct ct_stack *s;

	(void)state;
	python__begin(0x030d, true);
	frames__push(40, 488);
	user__unmap(CHUNK + 3 * 4096);
	take();
	s = last_stack();
	assert_int_equal(s->unwind, CT_UNWIND_FRAME_UNREADABLE);
	assert_in_range(s->nframes, 5, 6); /* frame 34 lies in its slab, but not in the page */
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

/* A frame of 80 bytes, and its caller right behind it: of that one the first word has been read. */
static void frames_that_are_read_in_part_are_read_again(void **state)
{
	const uint64_t leaf = 0x7f5000000100, caller = leaf + 80;
	const struct ct_stack *s;

	(void)state;
	python__begin(0x030d, true);
	frames__push(2, 120);
	code__make(8);
	code__make(9);
	frame__make(leaf, code_at(8), 16, caller, 1);
	frame__make(caller, code_at(9), 18, pushed_at(1, 120), 1);
	leaf__set(leaf);
	take();
	s = last_stack();
	assert_int_equal(s->unwind, CT_UNWIND_COMPLETE);
	assert_int_equal(s->nframes, 4);
	assert_int_equal(s->frames[0].code, code_at(8));
	assert_int_equal(s->frames[1].code, code_at(9));
	assert_int_equal(s->frames[1].offset, 18);
	assert_int_equal(s->frames[2].code, code_at(1));
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
	assert_int_equal(shim.n_records, 1);  /* sent once */
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
		TEST(frames_that_are_read_in_part_are_read_again),
		TEST(instructions_outside_of_the_code_are_marked),
		TEST(the_same_stack_has_the_same_id),
		TEST(one_instruction_makes_another_stack),
		TEST(how_it_ends_is_part_of_the_id),
		TEST(the_names_of_the_leaf_are_always_looked_at),
		TEST(the_names_of_callers_are_looked_at_when_their_frame_changed),
		TEST(code_that_can_not_be_read_has_the_digest_of_nothing),
		TEST(a_lost_record_is_sent_the_next_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
