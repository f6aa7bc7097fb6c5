/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "golden_cases.h"
#include "model/advice.h"

static struct world world;

static int open_world(void **state)
{
	(void)state;
	world__open(&world);
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	world__close(&world);
	return 0;
}

static const struct snapshot_advice *find(const char *rule)
{
	const struct snapshot *snap = world__snapshot(&world);

	for (size_t i = 0; i < snap->n_advice; i++)
		if (strcmp(snap->advice[i].rule, rule) == 0)
			return &snap->advice[i];
	return NULL;
}

static void other_copies(uint64_t n)
{
	world__copy(&world, n, (struct deed){.pid = 1, .cause = CAUSE_MUTATION, .symbol = "f"});
}

static void read_numbers(uint32_t pid, uint64_t n, const char *type)
{
	static const struct frame_fact frame = {"app.py", "total", 14, 0};

	world__copy(&world, n,
		    (struct deed){.pid = pid,
				  .cause = CAUSE_REFCOUNT,
				  .certainty = CERTAINTY_PROVEN,
				  .type = type,
				  .stack = world__stack(&world, CT_UNWIND_COMPLETE, 1, &frame)});
}

static void test_numbers_one_by_one(void **state)
{
	const struct snapshot_advice *advice;

	(void)state;
	read_numbers(1, 1000, "int");
	read_numbers(2, 501, "int");
	advice = find("numbers-in-container");
	assert_non_null(advice);
	assert_int_equal(advice->bytes_per_process, 751 * PAGE);
	assert_non_null(strstr(advice->text, "app.py:14 in total"));
	assert_non_null(strstr(advice->text, "At most 2.9 MiB"));
}

/* One line, one advice, whatever kinds of numbers it reads. */
static void test_ints_and_floats_of_a_line_are_one_advice(void **state)
{
	(void)state;
	read_numbers(1, 600, "int");
	read_numbers(1, 400, "float");
	assert_int_equal(find("numbers-in-container")->bytes_per_process, 1000 * PAGE);
	assert_int_equal(world__snapshot(&world)->n_advice, 1);
}

static void test_below_one_percent_nothing_is_said(void **state)
{
	(void)state;
	read_numbers(1, 99, "int");
	other_copies(9900);
	assert_int_equal(world__snapshot(&world)->n_advice, 0);
	read_numbers(1, 2, "int");
	assert_non_null(find("numbers-in-container"));
}

/* The small ints that every program shares are a few pages, and 100 % of an idle worker. */
static void test_few_pages_are_no_container(void **state)
{
	(void)state;
	read_numbers(1, 15, "int");
	assert_int_equal(world__snapshot(&world)->n_advice, 0);
}

static void test_numbers_without_a_line_are_not_advised(void **state)
{
	(void)state;
	world__copy(&world, 100, (struct deed){.pid = 1, .cause = CAUSE_REFCOUNT, .type = "int"});
	assert_int_equal(world__snapshot(&world)->n_advice, 0);
}

static void test_strings(void **state)
{
	(void)state;
	read_numbers(1, 100, "str");
	assert_non_null(find("strings-in-container"));
	assert_null(find("numbers-in-container"));
}

static void test_lists_are_not_advised(void **state)
{
	(void)state;
	read_numbers(1, 100, "list");
	assert_int_equal(world__snapshot(&world)->n_advice, 0);
}

static void collect(const char *detail, uint32_t pid, uint64_t n)
{
	static const struct frame_fact frame = {"a.py", "g", 9, 0};

	world__copy(&world, n,
		    (struct deed){.pid = pid,
				  .cause = CAUSE_GC_HEADER,
				  .detail = detail,
				  .stack = world__stack(&world, 0, 1, &frame)});
}

/* Without a Python line: the interpreter was shutting down, and no serving worker lost memory. */
static void test_collections_at_exit_are_not_advised(void **state)
{
	(void)state;
	world__copy(&world, 500,
		    (struct deed){.pid = 1, .cause = CAUSE_GC_HEADER, .detail = "collect"});
	assert_null(find("gc-freeze"));
	collect("collect", 1, 500);
	assert_int_equal(find("gc-freeze")->bytes_per_process, 500 * PAGE);
}

static void test_collections(void **state)
{
	const struct snapshot_advice *advice;

	(void)state;
	collect("track", 1, 1000);
	assert_null(find("gc-freeze"));
	collect("collect", 1, 100);
	collect("collect", 2, 60);
	advice = find("gc-freeze");
	assert_non_null(advice);
	assert_int_equal(advice->bytes_per_process, 80 * PAGE);
	assert_non_null(strstr(advice->text, "`gc.collect(); gc.freeze()`"));
}

static void python(uint32_t pid, bool forked, uint64_t shared, uint64_t own)
{
	world__process(&world, (struct process_facts){.pid = pid,
						      .command = "p",
						      .python = "3.12.0",
						      .forked = forked,
						      .started = START,
						      .shared_at_fork = shared,
						      .new_bytes = own});
}

static void test_nothing_shared(void **state)
{
	(void)state;
	python(1, false, SNAPSHOT_UNKNOWN, 0);
	assert_null(find("nothing-shared"));
	python(2, true, 0, 40 * MIB);
	assert_non_null(find("nothing-shared"));
	assert_int_equal(world__snapshot(&world)->n_advice, 1);
}

static void test_nothing_shared_needs_certainty(void **state)
{
	(void)state;
	python(1, false, SNAPSHOT_UNKNOWN, 0);
	python(2, true, 0, 0);
	python(3, true, SNAPSHOT_UNKNOWN, 0);
	assert_null(find("nothing-shared"));
}

static void test_lost_copies_are_copies(void **state)
{
	(void)state;
	python(1, false, SNAPSHOT_UNKNOWN, 0);
	python(2, true, 0, 0);
	world.capture.lost = 1;
	assert_null(find("nothing-shared"));
}

static void test_loaded_after_fork(void **state)
{
	(void)state;
	python(1, false, SNAPSHOT_UNKNOWN, 900 * MIB);
	python(2, true, 10 * MIB, 200 * MIB);
	assert_null(find("loaded-after-fork"));
	python(3, true, 150 * MIB, 200 * MIB);
	assert_null(find("loaded-after-fork"));
	python(4, true, 10 * MIB, 210 * MIB);
	assert_int_equal(find("loaded-after-fork")->bytes_per_process, 210 * MIB);
}

static void test_most_useful_first_and_bounded(void **state)
{
	static const struct frame_fact frames[] = {
		{"a.py", "f", 1, 0}, {"a.py", "f", 2, 0}, {"a.py", "f", 3, 0},
		{"a.py", "f", 4, 0}, {"a.py", "f", 5, 0},
	};
	const struct snapshot *snap;

	(void)state;
	for (size_t i = 0; i < 5; i++)
		world__copy(&world, 100 + i,
			    (struct deed){.pid = 1,
					  .cause = CAUSE_REFCOUNT,
					  .type = "int",
					  .stack = world__stack(&world, 0, 1, &frames[i])});
	collect("collect", 1, 5000);
	snap = world__snapshot(&world);
	assert_int_equal(snap->n_advice, 4);
	assert_string_equal(snap->advice[0].rule, "gc-freeze");
	for (size_t i = 1; i < snap->n_advice; i++)
		assert_true(snap->advice[i - 1].bytes_per_process >=
			    snap->advice[i].bytes_per_process);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)
	const struct CMUnitTest tests[] = {
		TEST(test_numbers_one_by_one),
		TEST(test_ints_and_floats_of_a_line_are_one_advice),
		TEST(test_below_one_percent_nothing_is_said),
		TEST(test_few_pages_are_no_container),
		TEST(test_numbers_without_a_line_are_not_advised),
		TEST(test_strings),
		TEST(test_lists_are_not_advised),
		TEST(test_collections),
		TEST(test_collections_at_exit_are_not_advised),
		TEST(test_nothing_shared),
		TEST(test_nothing_shared_needs_certainty),
		TEST(test_lost_copies_are_copies),
		TEST(test_loaded_after_fork),
		TEST(test_most_useful_first_and_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
