/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "golden_cases.h"
#include "model/advice.h"
#include "model/advice_hints.h"

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

/* What is promised, without what is on top of it. */
#define pages_of(advice) ((advice)->bytes_per_process / PAGE - ADVICE_MARGIN)

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
	assert_int_equal(pages_of(advice), 1000);
	assert_non_null(strstr(advice->text, "app.py:14 in total"));
	assert_non_null(strstr(advice->text, "At most 4.0 MiB"));
}

/* One line, one advice, whatever kinds of numbers it reads. */
static void test_ints_and_floats_of_a_line_are_one_advice(void **state)
{
	(void)state;
	read_numbers(1, 600, "int");
	read_numbers(1, 400, "float");
	assert_int_equal(pages_of(find("numbers-in-container")), 1000);
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

static void test_records(void **state)
{
	(void)state;
	read_numbers(1, 100, "dict");
	read_numbers(1, 40, "str");
	assert_int_equal(world__snapshot(&world)->n_advice, 1);
	assert_int_equal(pages_of(find("records-in-container")), 140);
}

/* What a program is made of is no data; a few objects of a class are no container. */
static void test_machinery_is_no_record(void **state)
{
	(void)state;
	read_numbers(1, 1000, "type");
	read_numbers(1, 63, "Request");
	assert_int_equal(world__snapshot(&world)->n_advice, 0);
	read_numbers(1, 1, "Request");
	assert_non_null(find("records-in-container"));
}

/* First writes to pages of files: the interpreter begins. */
static void test_what_was_not_shared_is_not_advised(void **state)
{
	static const struct frame_fact frame = {"app.py", "total", 14, 0};

	(void)state;
	world__copy(&world, 100,
		    (struct deed){.pid = 1,
				  .cause = CAUSE_REFCOUNT,
				  .origin = CT_ORIGIN_FILE,
				  .type = "int",
				  .stack = world__stack(&world, CT_UNWIND_COMPLETE, 1, &frame)});
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
	assert_int_equal(pages_of(find("gc-freeze")), 500);
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
	assert_int_equal(pages_of(advice), 100);
	assert_non_null(strstr(advice->text, "a.py:9 in g"));
	assert_non_null(strstr(advice->text, "`gc.freeze()` right before `os.fork()`"));
	assert_null(find("gc-threshold"));
}

/* The line says that nobody asked for it. */
static void test_collections_that_came_of_themselves(void **state)
{
	(void)state;
	collect("collect", 1, 1000);
	world.source = "    made.append(Thing())";
	assert_null(find("gc-freeze"));
	assert_int_equal(pages_of(find("gc-threshold")), 1000);
	world.source = "    gc.collect()";
	assert_non_null(find("gc-freeze"));
	assert_null(find("gc-threshold"));
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
	assert_int_equal(find("loaded-after-fork")->bytes_per_process,
			 210 * MIB + ADVICE_MARGIN * PAGE);
}

/* Two workers, 2 and 3, of a parent. */
static void workers(void)
{
	python(1, false, SNAPSHOT_UNKNOWN, 0);
	python(2, true, 100 * MIB, 0);
	python(3, true, 100 * MIB, 0);
}

static void in_worker(uint32_t pid, uint64_t n, struct deed deed)
{
	static const struct frame_fact frame = {"work.py", "serve", 5, 0};

	deed.pid = pid;
	if (!deed.stack)
		deed.stack = world__stack(&world, CT_UNWIND_COMPLETE, 1, &frame);
	world__copy(&world, n, deed);
}

static void test_refill_of_freed_blocks(void **state)
{
	const struct deed fill = {.cause = CAUSE_ALLOCATOR, .detail = "pymalloc block"};

	(void)state;
	workers();
	in_worker(2, 127, fill);
	in_worker(1, 5000, fill); /* the parent's own affair */
	assert_null(find("allocator-refill"));
	in_worker(3, 128, fill);
	assert_int_equal(pages_of(find("allocator-refill")), 128);
	assert_non_null(strstr(find("allocator-refill")->text, "work.py:5 in serve"));
}

static void test_warm_up(void **state)
{
	(void)state;
	workers();
	in_worker(2, 30, (struct deed){.cause = CAUSE_INLINE_CACHE, .detail = "bytecode"});
	in_worker(2, 10, (struct deed){.cause = CAUSE_LAZY_CACHE, .detail = "keys version"});
	in_worker(1, 90, (struct deed){.cause = CAUSE_INLINE_CACHE, .detail = "bytecode"});
	assert_int_equal(pages_of(find("warm-up")), 40);
}

/* All that happens while a module is imported, and nothing of it twice. */
static void test_imports(void **state)
{
	const struct stack_fact *stack =
		STACK(&world, CT_UNWIND_COMPLETE, {"/usr/lib/json/__init__.py", "<module>", 106, 0},
		      {"<frozen importlib._bootstrap>", "_call_with_frames_removed", 241, 0},
		      {"<frozen importlib._bootstrap>", "_find_and_load", 1149, 0},
		      {"work.py", "answer", 7, 0}, {"work.py", "<module>", 30, 0});

	(void)state;
	workers();
	in_worker(2, 200, (struct deed){.cause = CAUSE_ALLOCATOR, .stack = stack});
	in_worker(2, 100, (struct deed){.cause = CAUSE_REFCOUNT, .type = "str", .stack = stack});
	in_worker(2, 50,
		  (struct deed){.cause = CAUSE_GC_HEADER, .detail = "collect", .stack = stack});
	in_worker(2, 40,
		  (struct deed){.cause = CAUSE_INLINE_CACHE, .detail = "bytecode", .stack = stack});
	assert_int_equal(world__snapshot(&world)->n_advice, 1);
	assert_int_equal(pages_of(find("import-before-fork")), 390);
	assert_non_null(strstr(find("import-before-fork")->text, "work.py:7 in answer"));
}

static void test_variables_of_libraries(void **state)
{
	struct deed first = {.cause = CAUSE_NATIVE_DATA, .origin = CT_ORIGIN_FILE};

	(void)state;
	workers();
	first.detail = "libsmall.so";
	in_worker(2, 20, first);
	first.detail = "libtables.so";
	in_worker(2, 100, first);
	in_worker(3, 90, first);
	first.origin = CT_ORIGIN_FORK; /* the parent has written there, too: it would not help */
	in_worker(2, 900, first);
	assert_int_equal(pages_of(find("library-data")), 100);
	assert_non_null(strstr(find("library-data")->text, "libtables.so"));
}

static void test_teardown(void **state)
{
	const struct deed free = {.pid = 2,
				  .cause = CAUSE_REFCOUNT,
				  .type = "int",
				  .symbol = "list_dealloc",
				  .unwind = CT_UNWIND_NO_FRAME};

	(void)state;
	workers();
	world__copy(&world, 500, free);
	assert_null(find("exit-without-teardown"));
	world__process(&world, (struct process_facts){.pid = 2,
						      .command = "p",
						      .python = "3.12.0",
						      .forked = true,
						      .exited = true,
						      .started = START,
						      .shared_at_fork = 100 * MIB});
	assert_int_equal(pages_of(find("exit-without-teardown")), 500);
}

static void test_huge_pages(void **state)
{
	(void)state;
	workers();
	in_worker(2, 3, (struct deed){.cause = CAUSE_BUFFER, .origin = CT_ORIGIN_ZERO, .order = 9});
	in_worker(2, 300, (struct deed){.cause = CAUSE_BUFFER, .origin = CT_ORIGIN_ZERO});
	assert_int_equal(pages_of(find("huge-pages")), 3 * 512);
	assert_non_null(strstr(find("huge-pages")->text, "3 times"));
}

/* Of the processes that fill memory the most that one had at any time. */
static void test_peaks_count(void **state)
{
	(void)state;
	python(1, false, SNAPSHOT_UNKNOWN, 0);
	python(2, true, 10 * MIB, 0);
	python(3, true, 10 * MIB, 0);
	aggregate__sample(world.agg, 2, START + SECOND, 90 * MIB);
	assert_null(find("loaded-after-fork"));
	aggregate__sample(world.agg, 3, START + SECOND, 80 * MIB);
	assert_int_equal(find("loaded-after-fork")->bytes_per_process,
			 90 * MIB + ADVICE_MARGIN * PAGE);
}

static void expect_lead(const char *command, const char *file, const char *lead)
{
	const struct stack_fact *stack =
		STACK(&world, CT_UNWIND_COMPLETE, {"a.py", "f", 1, 0}, {file, "run", 2, 0});

	world__process(&world, (struct process_facts){.pid = 7, .command = command});
	world__copy(
		&world, 20,
		(struct deed){.pid = 7, .cause = CAUSE_REFCOUNT, .type = "int", .stack = stack});
	assert_non_null(strstr(find("numbers-in-container")->text, lead));
	world__close(&world);
	world__open(&world);
}

/* By what it is called, or by the files of its functions. */
static void test_words_of_the_framework(void **state)
{
	(void)state;
	expect_lead("app.py", "app.py", " How: load it in the parent");
	expect_lead("gunicorn -w 3 a:b", "app.py", " With gunicorn: `preload_app = True`");
	expect_lead("python3", "/opt/x/gunicorn/arbiter.py", " With gunicorn: ");
	expect_lead("uwsgi --ini a", "app.py", " With uWSGI: ");
	expect_lead("celery", "/usr/lib/python3/multiprocessing/pool.py", " With Celery: ");
	expect_lead("x.py", "/usr/lib/python3.11/multiprocessing/pool.py",
		    " With multiprocessing: ");
	expect_lead("x.py", "/v/torch/utils/data/_utils/worker.py", " With DataLoader: ");
}

static void test_each_action_in_each_framework(void **state)
{
	(void)state;
	for (int action = 0; action < HINT_ACTIONS; action++) {
		for (int framework = 0; framework < FRAMEWORKS; framework++) {
			const char *text = hints__text(action, framework);

			assert_non_null(text);
			assert_int_equal(text[strlen(text) - 1], '.');
		}
	}
}

/* A long name is cut, and what to do is not. */
static void test_long_names(void **state)
{
	static char name[4001];
	const struct frame_fact frame = {name, name, 1, 0};
	const char *text;

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	world__copy(&world, 20,
		    (struct deed){.pid = 1,
				  .cause = CAUSE_REFCOUNT,
				  .type = "int",
				  .stack = world__stack(&world, 0, 1, &frame)});
	text = find("numbers-in-container")->text;
	assert_true(strlen(text) < ADVICE_TEXT_MAX);
	assert_non_null(strstr(text, "How: "));
	assert_non_null(strstr(text, "At most 0.2 MiB"));
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
		TEST(test_records),
		TEST(test_machinery_is_no_record),
		TEST(test_what_was_not_shared_is_not_advised),
		TEST(test_collections),
		TEST(test_collections_that_came_of_themselves),
		TEST(test_collections_at_exit_are_not_advised),
		TEST(test_nothing_shared),
		TEST(test_nothing_shared_needs_certainty),
		TEST(test_lost_copies_are_copies),
		TEST(test_loaded_after_fork),
		TEST(test_refill_of_freed_blocks),
		TEST(test_warm_up),
		TEST(test_imports),
		TEST(test_variables_of_libraries),
		TEST(test_teardown),
		TEST(test_huge_pages),
		TEST(test_peaks_count),
		TEST(test_words_of_the_framework),
		TEST(test_each_action_in_each_framework),
		TEST(test_long_names),
		TEST(test_most_useful_first_and_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
