/* SPDX-License-Identifier: MIT */
/* The walk over the frames. */
#include "python_stack.h"

static void every_frame_up_to_the_limit(void **state)
{
	static const unsigned int depths[] = {
		1, 2, 12, CT_MAX_FRAMES - 1, CT_MAX_FRAMES, CT_MAX_FRAMES + 1, 300};

	(void)state;
	EACH_PYTHON
	{
		for (size_t d = 0; d < N(depths); d++) {
			python__begin(*v, true);
			frames__push(depths[d], 120);
			assert_int_not_equal(take(), 0);
			expect_pushed(last_stack(), depths[d]);
			assert_int_equal(last_stack()->pid, 100);
			assert_int_equal(last_stack()->layout, SLOT);
			assert_int_equal(last_stack()->pad, 0);
			assert_int_equal(records_of(CT_STACK), 1);
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

/* Reads that n frames take, 120 bytes apart: a slab ends with the last word that is asked for. */
static size_t slabs_of(size_t n)
{
	size_t each = (SLAB_SIZE - lay.fr_size) / 120 + 1;

	return (n + each - 1) / each;
}

static void few_reads_of_the_data_stack(void **state)
{
	(void)state;
	python__begin(0x030d, true);
	frames__push(127, 120);
	take();
	/* By way of the kernel's map the first ones come alone. */
	if (DIRECT)
		assert_int_equal(reads_between(CHUNK, LIMIT), 6 + slabs_of(127 - 6));
	else
		assert_int_equal(reads_between(CHUNK, LIMIT), slabs_of(127));
}

/* 3.12+; the code of a shim can be None, or nothing. */
static void shims_are_skipped(void **state)
{
	const struct ct_stack *s;

	(void)state;
	EACH_PYTHON
	{
		for (uint8_t owner = 0; owner < 6; owner++) {
			python__begin(*v, true);
			if (!lay.fr_owner)
				continue;
			frames__push(5, 120);
			*user__at(pushed_at(2, 120) + lay.fr_owner) = owner;
			if (owner >= 3)
				user__set64(pushed_at(2, 120) + lay.fr_code, NOWHERE);
			take();
			s = last_stack();
			assert_int_equal(s->unwind, CT_UNWIND_COMPLETE);
			assert_int_equal(s->nframes, owner < 3 ? 5 : 4);
			assert_int_equal(s->frames[1].code, code_at(3));
			assert_int_equal(s->frames[2].code, code_at(owner < 3 ? 2 : 1));
			assert_int_equal(s->frames[s->nframes - 1].code, code_at(0));
			expect_no_failed_read();
		}
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

/* A page of the data stack that is not there: all frames above it are seen. */
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
	assert_int_equal(s->nframes, 6); /* frame 33 lies in the page */
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
	const struct ct_stack *s;
	uint64_t generator;

	(void)state;
	python__begin(0x030d, true);
	generator = 0x7f5000001000 - lay.fr_size;
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
	assert_int_equal(s->frames[1].offset, shown(18));
	assert_int_equal(s->frames[4].code, code_at(0));
	expect_no_failed_read();
	for (size_t i = 0; i < shim.n_reads; i++)
		if (shim.reads[i].from >= generator - SLAB_SIZE &&
		    shim.reads[i].from < generator + lay.fr_size) {
			assert_true(shim.reads[i].from >= generator);
			assert_true(shim.reads[i].from + shim.reads[i].size <=
				    generator + lay.fr_size);
		}
}

/* A frame, and its caller so near behind it that the first word of that one has been read. */
static void frames_that_are_read_in_part_are_read_again(void **state)
{
	const uint64_t leaf = 0x7f5000000100, caller = leaf + 64;
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
	assert_int_equal(s->frames[1].offset, shown(18));
	assert_int_equal(s->frames[2].code, code_at(1));
}

static void instructions_outside_of_the_code_are_marked(void **state)
{
	const struct ct_stack *s;

	(void)state;
	EACH_PYTHON
	{
		python__begin(*v, true);
		if (lay.flags & CT_PY_LASTI)
			continue;
		frames__push(4, 120);
		user__set64(pushed_at(0, 120) + lay.fr_instr, code_at(0) - 2);
		user__set64(pushed_at(1, 120) + lay.fr_instr, code_at(1) + lay.code_size_max);
		user__set64(pushed_at(2, 120) + lay.fr_instr, code_at(2) + lay.code_size_max - 1);
		user__set64(pushed_at(3, 120) + lay.fr_instr, 0);
		take();
		s = last_stack();
		assert_int_equal(s->nframes, 4);
		assert_int_equal(s->frames[0].offset, CT_OFFSET_UNKNOWN);
		assert_int_equal(s->frames[1].offset, lay.code_size_max - 1);
		assert_int_equal(s->frames[2].offset, CT_OFFSET_UNKNOWN);
		assert_int_equal(s->frames[3].offset, CT_OFFSET_UNKNOWN);
	}
}

/* 3.8 and 3.9 count bytes, 3.10 units of two; -1 has not started. */
static void f_lasti(void **state)
{
	static const struct {
		int32_t lasti;
		uint32_t bytes, units; /* shown as */
	} cases[] = {
		{-1, CT_OFFSET_NOT_STARTED, CT_OFFSET_NOT_STARTED},
		{0, 0, 0},
		{10, 10, 20},
		{(32 << 20) - 1, (32 << 20) - 1, (64 << 20) - 2},
		{32 << 20, 32 << 20, CT_OFFSET_UNKNOWN},
		{64 << 20, CT_OFFSET_UNKNOWN, CT_OFFSET_UNKNOWN},
		{-2, CT_OFFSET_UNKNOWN, CT_OFFSET_UNKNOWN},
		{INT32_MAX, CT_OFFSET_UNKNOWN, CT_OFFSET_UNKNOWN},
		{INT32_MIN, CT_OFFSET_UNKNOWN, CT_OFFSET_UNKNOWN},
	};

	(void)state;
	for (uint32_t version = 0x0308; version <= 0x030a; version++) {
		for (size_t i = 0; i < N(cases); i++) {
			python__begin(version, true);
			frames__push(3, 120);
			user__set32(pushed_at(2, 120) + lay.fr_instr, cases[i].lasti);
			take();
			assert_int_equal(last_stack()->nframes, 3);
			assert_int_equal(last_stack()->frames[0].offset,
					 version == 0x030a ? cases[i].units : cases[i].bytes);
			assert_int_equal(last_stack()->frames[1].offset, 2);
		}
	}
}

/* Up to 3.10 frames are objects of their own: nothing around them is read. */
static void frame_objects_are_read_alone(void **state)
{
	(void)state;
	for (uint32_t version = 0x0308; version <= 0x030a; version++) {
		python__begin(version, true);
		thread.event.addr = CHUNK + 100;
		frames__push(40, 480);
		take();
		expect_pushed(last_stack(), 40);
		assert_int_equal(thread.event.flags & CT_F_DATASTACK, 0);
		assert_int_equal(reads_between(CHUNK, LIMIT), 40);
		for (size_t i = 0; i < shim.n_reads; i++)
			if (shim.reads[i].from >= CHUNK && shim.reads[i].from < LIMIT)
				assert_true(shim.reads[i].size == lay.fr_size ||
					    (DIRECT && shim.reads[i].size == 8));
	}
}

/* 3.14+: the low two bits of the code's word are a tag. */
static void tagged_code(void **state)
{
	(void)state;
	EACH_PYTHON
	{
		for (unsigned int tag = 0; tag < 4; tag++) {
			python__begin(*v, true);
			if (!(lay.flags & CT_PY_TAGGED))
				continue;
			frames__push(3, 120);
			user__set64(pushed_at(1, 120) + lay.fr_code, code_at(1) | tag);
			take();
			expect_pushed(last_stack(), 3);
		}
	}
}

/* 3.14t+: another copy of the bytecode for each thread; entry 0 is the one in the code object. */
#define COPIES 0x7f5600000000ul

static uint32_t offset_in_copy(uint32_t version, int32_t index, uint64_t n_copies, uint64_t array)
{
	python__begin(version, true);
	frames__push(2, 120);
	user__set64(code_at(1) + lay.code_tlbc, array);
	user__set64(COPIES, n_copies);
	for (unsigned int i = 0; i < 4; i++)
		user__set64(COPIES + 8 + 8 * i, BYTECODES + 4096 * i);
	user__set32(pushed_at(1, 120) + lay.fr_tlbc, index);
	if (index > 0)
		user__set64(pushed_at(1, 120) + lay.fr_instr,
			    BYTECODES + 4096 * (uint64_t)(index & 3) + 24);
	take();
	assert_int_equal(last_stack()->nframes, 2);
	assert_int_equal(last_stack()->frames[1].offset, shown(0));
	return last_stack()->frames[0].offset;
}

static void copies_of_the_bytecode(void **state)
{
	(void)state;
	for (uint32_t v = 0x030e | FREE_THREADED; v <= (0x030f | FREE_THREADED); v++) {
		for (int32_t i = 1; i < 4; i++)
			assert_int_equal(offset_in_copy(v, i, 4, COPIES), shown(24));
		assert_int_equal(offset_in_copy(v, 0, 4, COPIES), shown(2));
		assert_int_equal(offset_in_copy(v, 4, 4, COPIES), CT_OFFSET_UNKNOWN);
		assert_int_equal(offset_in_copy(v, 1, 1, COPIES), CT_OFFSET_UNKNOWN);
		assert_int_equal(offset_in_copy(v, -1, 4, COPIES), CT_OFFSET_UNKNOWN);
		assert_int_equal(offset_in_copy(v, INT32_MIN, 4, COPIES), CT_OFFSET_UNKNOWN);
		assert_int_equal(offset_in_copy(v, INT32_MAX, ~0ull, COPIES), CT_OFFSET_UNKNOWN);
		assert_int_equal(offset_in_copy(v, 1, 4, 0), CT_OFFSET_UNKNOWN);
		assert_int_equal(offset_in_copy(v, 1, 4, NOWHERE), CT_OFFSET_UNKNOWN);
	}
}

/* --- the bytecode being run --- */

static void the_instruction_of_the_leaf(void **state)
{
	(void)state;
	EACH_PYTHON
	{
		python__begin(*v, true);
		frames__push(4, 120);
		*user__at(code_at(3) + lay.code_adaptive + 6) = 0;
		user__write(lay.flags & CT_PY_LASTI ? bytecode_at(3) + lay.bytes_data + 6
						    : code_at(3) + lay.code_adaptive + 6,
			    "\x5d\x07", 2);
		take();
		assert_int_equal(thread.event.instr, lay.flags & CT_PY_LASTI
							     ? bytecode_at(3) + lay.bytes_data + 6
							     : code_at(3) + lay.code_adaptive + 6);
		assert_int_equal(thread.event.opcode, 0x5d);
		assert_int_equal(thread.event.oparg, 0x07);
		thread.counted = true; /* the window says it all */
		take();
		assert_int_equal(thread.event.instr, 0);
		assert_int_equal(thread.event.opcode, 0);
		assert_int_equal(thread.event.oparg, 0);
	}
}

static void no_instruction(void **state)
{
	(void)state;
	EACH_PYTHON
	{
		python__begin(*v, true);
		frames__push(4, 120);
		if (lay.flags & CT_PY_LASTI) {
			user__set32(pushed_at(3, 120) + lay.fr_instr, ~0u);
			take();
			assert_int_equal(thread.event.instr, 0);
			frame__at(pushed_at(3, 120), code_at(3), 6);
			user__set64(code_at(3) + lay.code_bytes, NOWHERE);
		} else {
			user__set64(pushed_at(3, 120) + lay.fr_instr, NOWHERE);
		}
		thread.event.instr = 1;
		take();
		assert_int_equal(thread.event.instr, 0);
		assert_int_equal(last_stack()->nframes, 4);
	}
}

/* --- records --- */

static void a_lost_record_is_sent_the_next_time(void **state)
{
	(void)state;
	python__begin(0x030d, true);
	frames__push(3, 120);
	shim.meta_full = true;
	assert_int_equal(take(), 0);
	assert_int_equal(thread.event.unwind, CT_UNWIND_STACK_LOST);
	assert_int_equal(shim.n_records, 0);
	/* three code objects and the stack */
	assert_int_equal(counter(CT_COUNT_META_LOST), 4);
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
		TEST(f_lasti),
		TEST(frame_objects_are_read_alone),
		TEST(tagged_code),
		TEST(copies_of_the_bytecode),
		TEST(the_instruction_of_the_leaf),
		TEST(no_instruction),
		TEST(a_lost_record_is_sent_the_next_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
