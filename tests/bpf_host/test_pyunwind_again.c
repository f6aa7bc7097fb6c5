/* SPDX-License-Identifier: MIT */
/* What a walk takes from the walk before, and when it must not: 3.13+, where code objects are
 * counted. */
#include "python_stack.h"

static const uint32_t counting_versions[] = {0x030d, 0x030e, 0x030f, 0x030d | FREE_THREADED};

#define EACH_COUNTING                                                                              \
	for (const uint32_t *v = counting_versions; v < counting_versions + N(counting_versions);  \
	     v++)

/* n frames; the thread has walked over them. */
static uint64_t begin(uint32_t version, unsigned int n)
{
	python__begin(version, true);
	frames__push(n, 120);
	user__set32(count_at(), 70);
	thread.counted = true; /* without the instruction */
	return take();
}

/* The innermost n of the frames that begin() made. */
static uint64_t take_of(unsigned int n)
{
	uint64_t id;

	leaf__set(pushed_at(n - 1, 120));
	shim.n_reads = 0;
	id = take();
	assert_int_equal(thread.stack.nframes, n);
	for (unsigned int i = 0; i < n; i++) {
		assert_int_equal(thread.stack.frames[i].code, code_at(n - 1 - i));
		assert_int_equal(thread.stack.frames[i].offset, shown(2 * (n - 1 - i)));
		assert_int_equal(thread.stack.frames[i].check, code__check(n - 1 - i));
	}
	return id;
}

static size_t looks_at_code(void)
{
	return reads_between(CODES, CODES + (1 << 20));
}

/* More functions than are remembered by their address. */
static void many_functions_are_looked_at_once(void **state)
{
	(void)state;
	EACH_COUNTING
	{
		uint64_t id = begin(*v, 200);

		assert_int_equal(take_of(200), id);
		assert_int_equal(looks_at_code(), 0);
		assert_int_equal(records_of(CT_STACK), 1);
	}
}

/* A call, or a return, moves all frames by one. */
static void one_deeper_or_less_deep(void **state)
{
	(void)state;
	EACH_COUNTING
	{
		uint64_t id = begin(*v, 200), less;

		less = take_of(199);
		assert_int_not_equal(less, id);
		assert_int_equal(looks_at_code(), 0);
		assert_int_equal(take_of(200), id);
		assert_true(looks_at_code() <= 1);
		assert_int_equal(take_of(199), less);
		assert_int_equal(looks_at_code(), 0);
		assert_int_not_equal(take_of(190), less); /* all are looked for, and are right */
	}
}

/* All code objects have been freed and made anew where they were. */
static void code__renew(unsigned int n, uint32_t time)
{
	for (unsigned int i = 0; i < n; i++)
		user__set64(code_at(i) + lay.code_words[0], 0x7f4000000000 + 16 * (time + i));
	user__set32(count_at(), 100 + time);
	shim__forget_records();
	shim.n_records = 0;
}

/* What was not visited since a code object was made says nothing, although it is still there. */
static void what_lies_beyond_the_last_walk(void **state)
{
	(void)state;
	EACH_COUNTING
	{
		begin(*v, 40);
		for (unsigned int n = 2; n < 12; n++) {
			code__renew(40, 4 * n);
			take_of(n);  /* few of them are checked in this time ... */
			take_of(40); /* ... and the others now */
			code__renew(40, 4 * n + 1);
			take_of(39); /* one less deep, and another time */
			code__renew(40, 4 * n + 2);
			take_of(40); /* one deeper, and another time */
			take_of(n);
			code__renew(40, 4 * n + 3);
			take_of(n - 1);
			take_of(40);
		}
	}
}

static void at_the_end_of_what_a_stack_can_hold(void **state)
{
	(void)state;
	EACH_COUNTING
	{
		begin(*v, CT_MAX_FRAMES);
		take_of(CT_MAX_FRAMES - 1);
		code__renew(CT_MAX_FRAMES, 0);
		take_of(CT_MAX_FRAMES - 2);
		take_of(CT_MAX_FRAMES);
	}
}

/* The count has not moved, but it is that of another interpreter, or program. */
static void the_same_count_of_another_one(void **state)
{
	(void)state;
	EACH_COUNTING
	{
		begin(*v, 5);
		user__set64(INTERP + lay.interp_id, 1);
		str__make(name_at(2), "another");
		take_of(5);
		thread.execs++;
		str__make(name_at(2), "a third");
		take_of(5);
	}
}

/* Each difference is seen in each frame, and the way back too; what was sent is not sent again. */
static void what_makes_another_stack(void **state)
{
	(void)state;
	EACH_COUNTING
	{
		uint64_t id = begin(*v, 30), other;

		for (unsigned int i = 0; i < 30; i++) {
			frame__at(pushed_at(i, 120), code_at(i), 2 * i + 2);
			other = take();
			assert_int_not_equal(other, id);
			frame__at(pushed_at(i, 120), code_at(i), 2 * i);
			assert_int_equal(take(), id);
			assert_int_equal(records_of(CT_STACK), 2 + i);
		}
		user__set64(pushed_at(0, 120) + lay.fr_previous, NOWHERE); /* ends otherwise */
		assert_int_not_equal(take(), id);
		assert_int_equal(thread.event.unwind, CT_UNWIND_FRAME_UNREADABLE);
		user__set64(pushed_at(0, 120) + lay.fr_previous, 0);
		assert_int_equal(take(), id);
		assert_int_equal(thread.event.unwind, CT_UNWIND_COMPLETE);
	}
}

/* A record for which there was no room is sent with the next copy. */
static void a_stack_that_was_not_sent(void **state)
{
	(void)state;
	EACH_COUNTING
	{
		uint64_t id = begin(*v, 5);

		frame__at(pushed_at(4, 120), code_at(4), 6);
		shim.meta_full = true;
		assert_int_equal(take(), 0);
		assert_int_equal(thread.event.unwind, CT_UNWIND_STACK_LOST);
		shim.meta_full = false;
		assert_int_not_equal(take(), 0);
		assert_int_not_equal(take(), id);
		assert_int_equal(records_of(CT_STACK), 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(many_functions_are_looked_at_once),   TEST(one_deeper_or_less_deep),
		TEST(at_the_end_of_what_a_stack_can_hold), TEST(what_lies_beyond_the_last_walk),
		TEST(the_same_count_of_another_one),	   TEST(what_makes_another_stack),
		TEST(a_stack_that_was_not_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
