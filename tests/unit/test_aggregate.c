/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "golden_cases.h"

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

static void copy(uint32_t pid, uint64_t seconds, uint64_t n)
{
	struct fault_facts facts = {
		.pid = pid, .time = START + seconds * SECOND, .symbol = "f", .python = false};
	struct verdict verdict = {.cause = CAUSE_UNKNOWN, .detail = ""};

	while (n--)
		aggregate__add(world.agg, &facts, &verdict);
}

static void start(uint32_t pid, uint64_t seconds, const char *command)
{
	world__process(&world, (struct process_facts){.pid = pid,
						      .ppid = 1,
						      .command = command,
						      .forked = true,
						      .started = START + seconds * SECOND});
}

/* --- sums -------------------------------------------------------------------- */

static void test_sums_are_exact(void **state)
{
	(void)state;
	for (size_t c = 0; c < sizeof(golden_cases) / sizeof(golden_cases[0]); c++) {
		uint64_t causes = 0, sites = 0, stacks = 0, processes = 0;
		const struct snapshot *snap;
		struct world w;

		world__open(&w);
		golden_cases[c].build(&w);
		snap = world__snapshot(&w);
		for (size_t i = 0; i < snap->n_causes; i++)
			causes += snap->causes[i].copies;
		for (size_t i = 0; i < snap->n_sites; i++)
			sites += snap->sites[i].copies;
		for (size_t i = 0; i < snap->n_stacks; i++)
			stacks += snap->stacks[i].copies;
		for (size_t i = 0; i < snap->n_processes; i++)
			processes += snap->processes[i].copies;
		assert_int_equal(causes, snap->capture.copies);
		assert_int_equal(sites, snap->capture.copies);
		assert_int_equal(stacks, snap->capture.copies);
		assert_int_equal(processes, snap->capture.copies);
		assert_int_equal(aggregate__copies(w.agg), snap->capture.copies);
		world__close(&w);
	}
}

static void test_types_leave_out_what_has_none(void **state)
{
	const struct snapshot *snap;

	(void)state;
	world__copy(&world, 3, (struct deed){.pid = 1, .cause = CAUSE_REFCOUNT, .type = "int"});
	world__copy(&world, 5, (struct deed){.pid = 1, .cause = CAUSE_MUTATION, .type = "int"});
	world__copy(&world, 7, (struct deed){.pid = 1, .cause = CAUSE_REFCOUNT});
	snap = world__snapshot(&world);
	assert_int_equal(snap->n_types, 2);
	assert_string_equal(snap->types[0].cause, "mutation");
	assert_int_equal(snap->types[1].copies, 3);
}

/* --- sites ------------------------------------------------------------------- */

static void test_site_merges_details_and_processes(void **state)
{
	const struct stack_fact *a = STACK(&world, CT_UNWIND_COMPLETE, {"a.py", "f", 1, 0});
	const struct stack_fact *b =
		STACK(&world, CT_UNWIND_COMPLETE, {"a.py", "f", 1, 0}, {"a.py", "<module>", 9, 0});
	const struct snapshot *snap;

	(void)state;
	world__copy(&world, 2, (struct deed){.pid = 1, .type = "int", .detail = "inc", .stack = a});
	world__copy(&world, 3, (struct deed){.pid = 1, .type = "int", .detail = "dec", .stack = b});
	world__copy(&world, 5, (struct deed){.pid = 2, .type = "int", .detail = "inc", .stack = b});
	world__copy(&world, 1, (struct deed){.pid = 2, .type = "str", .detail = "inc", .stack = b});
	snap = world__snapshot(&world);
	assert_int_equal(snap->n_sites, 2);
	assert_int_equal(snap->sites[0].copies, 10);
	assert_int_equal(snap->sites[0].processes, 2);
	assert_string_equal(snap->sites[0].file, "a.py");
	assert_int_equal(snap->sites[1].processes, 1);
	assert_int_equal(snap->n_causes, 2);
	assert_int_equal(snap->causes[0].processes, 2);
}

static void test_site_without_a_line_is_native(void **state)
{
	const struct stack_fact *lost =
		STACK(&world, CT_UNWIND_COMPLETE, {NULL, NULL, 0, CT_MISSING_UNREADABLE},
		      {"a.py", "<module>", 9, 0});
	const struct snapshot *snap;

	(void)state;
	world__copy(&world, 4, (struct deed){.pid = 1, .symbol = "memcpy", .stack = lost});
	world__copy(&world, 3, (struct deed){.pid = 1, .symbol = "memset"});
	world__copy(&world, 2, (struct deed){.pid = 1, .symbol = "memset", .syscall = "read"});
	world__copy(&world, 1, (struct deed){.pid = 1});
	snap = world__snapshot(&world);
	assert_int_equal(snap->n_sites, 4);
	assert_null(snap->sites[0].file);
	assert_string_equal(snap->sites[0].function, "memcpy");
	assert_string_equal(snap->sites[1].function, "memset");
	assert_string_equal(snap->sites[2].function, "read (kernel)");
	assert_string_equal(snap->sites[3].function, "[unknown code]");
	assert_int_equal(snap->capture.stacks_missing, 4);
	assert_string_equal(snap->capture.stacks_missing_reason,
			    "the memory of the process could not be read");
	assert_int_equal(snap->stacks[0].n, 3);
	assert_string_equal(snap->stacks[0].frames[0].function, "<module>");
	assert_string_equal(snap->stacks[0].frames[1].function, "[unreadable]");
	assert_string_equal(snap->stacks[0].frames[2].function, "memcpy");
}

static void test_cut_stack_says_so_at_its_root(void **state)
{
	const struct stack_fact *deep = STACK(&world, CT_UNWIND_TOO_DEEP, {"a.py", "f", 1, 0});
	const struct snapshot *snap;

	(void)state;
	world__copy(&world, 4, (struct deed){.pid = 1, .stack = deep});
	world__copy(&world, 2, (struct deed){.pid = 1, .unwind = CT_UNWIND_STACK_LOST});
	world__copy(&world, 1, (struct deed){.pid = 1, .unwind = CT_UNWIND_NO_FRAME});
	snap = world__snapshot(&world);
	assert_int_equal(snap->capture.stacks_cut, 4);
	assert_int_equal(snap->capture.stacks_missing, 2);
	assert_string_equal(snap->stacks[0].frames[0].function, "[too_deep]");
	assert_string_equal(snap->stacks[0].frames[1].function, "f");
	assert_string_equal(snap->stacks[1].frames[0].function, "[stack_lost]");
	assert_int_equal(snap->stacks[2].n, 1);
}

/* Equal input gives equal bytes: nothing may depend on addresses or on the order of arrival. */
static void test_order_does_not_depend_on_arrival(void **state)
{
	static const char *const types[] = {"a", "b", "c", "d", "e", "f", "g"};
	const struct snapshot *snap;

	(void)state;
	for (size_t i = 0; i < 7; i++)
		world__copy(&world, 1, (struct deed){.pid = 1, .type = types[i * 3 % 7]});
	snap = world__snapshot(&world);
	for (size_t i = 0; i < 7; i++) {
		assert_string_equal(snap->types[i].type, types[i]);
		assert_string_equal(snap->sites[i].type, types[i]);
		assert_string_equal(snap->stacks[i].type, types[i]);
	}
}

/* What the labels of pprof tell apart has a row of its own; pids that come back have one each. */
static void test_stacks_are_told_apart(void **state)
{
	const struct snapshot *snap;
	struct deed deed = {.pid = 7,
			    .cause = CAUSE_REFCOUNT,
			    .certainty = CERTAINTY_PROVEN,
			    .symbol = "f",
			    .unwind = CT_UNWIND_NO_PYTHON,
			    .native = true};

	(void)state;
	start(7, 1, "old");
	world__copy(&world, 5, deed);
	deed.detail = "inc"; /* the same row */
	world__copy(&world, 2, deed);
	deed.certainty = CERTAINTY_LIKELY;
	world__copy(&world, 3, deed);
	deed.origin = CT_ORIGIN_ZERO;
	world__copy(&world, 2, deed);
	start(7, 3, "new");
	copy(7, 4, 1);
	snap = world__snapshot(&world);
	assert_int_equal(snap->n_stacks, 4);
	assert_int_equal(snap->stacks[0].copies, 7);
	assert_string_equal(snap->stacks[0].certainty, "proven");
	assert_int_equal(snap->stacks[1].copies, 3);
	assert_string_equal(snap->stacks[1].certainty, "likely");
	assert_string_equal(snap->stacks[1].origin, "fork");
	assert_int_equal(snap->stacks[2].copies, 2);
	assert_string_equal(snap->stacks[2].origin, "zero");
	assert_int_equal(snap->stacks[2].process, 0);
	assert_int_equal(snap->stacks[3].process, 1);
	assert_string_equal(snap->processes[1].command, "new");
}

static void test_equal_texts_are_one_row(void **state)
{
	char one[] = "int", other[] = "int";
	struct fault_facts facts = {.pid = 1, .symbol = "f"};
	struct verdict verdict = {.detail = "", .type = one};

	(void)state;
	aggregate__add(world.agg, &facts, &verdict);
	verdict.type = other;
	aggregate__add(world.agg, &facts, &verdict);
	assert_int_equal(world__snapshot(&world)->n_sites, 1);
	assert_int_equal(world__snapshot(&world)->n_types, 1);
	assert_int_equal(world__snapshot(&world)->n_stacks, 1);
}

/* --- processes --------------------------------------------------------------- */

static void test_pid_that_comes_back_is_another_process(void **state)
{
	const struct snapshot *snap;

	(void)state;
	start(7, 1, "first");
	copy(7, 2, 5);
	start(7, 10, "second");
	copy(7, 11, 3);
	copy(7, 9, 2); /* late, from another ring or CPU */
	start(7, 1, "first, updated");
	snap = world__snapshot(&world);
	assert_int_equal(snap->n_processes, 2);
	assert_string_equal(snap->processes[0].command, "first, updated");
	assert_int_equal(snap->processes[0].copies, 7);
	assert_int_equal(snap->processes[1].copies, 3);
	assert_int_equal(aggregate__process_copies(world.agg, 7), 3);
	assert_int_equal(aggregate__process_copies(world.agg, 8), 0);
}

static void test_older_process_may_be_told_later(void **state)
{
	const struct snapshot *snap;

	(void)state;
	start(7, 10, "second");
	start(7, 1, "first");
	copy(7, 12, 3);
	copy(7, 2, 5);
	snap = world__snapshot(&world);
	assert_string_equal(snap->processes[0].command, "first");
	assert_int_equal(snap->processes[0].copies, 5);
	assert_int_equal(snap->processes[1].copies, 3);
}

static void test_copy_before_its_process_is_kept(void **state)
{
	const struct snapshot *snap;

	(void)state;
	copy(7, 2, 5);
	assert_string_equal(world__snapshot(&world)->processes[0].command, "?");
	assert_true(world__snapshot(&world)->processes[0].new_bytes == SNAPSHOT_UNKNOWN);
	start(7, 3, "late"); /* by a coarse clock even after the copy */
	copy(7, 2, 1);
	copy(7, 4, 1);
	snap = world__snapshot(&world);
	assert_int_equal(snap->n_processes, 1);
	assert_string_equal(snap->processes[0].command, "late");
	assert_int_equal(snap->processes[0].copies, 7);
}

/* 64 pids share a place in the cache of recent processes. */
static void test_many_processes(void **state)
{
	const struct snapshot *snap;

	(void)state;
	for (uint32_t pid = 1; pid < 1000; pid++)
		start(pid, 1, "worker");
	for (uint32_t round = 0; round < 3; round++)
		for (uint32_t pid = 1; pid < 1000; pid++)
			copy(pid, 2, 1);
	snap = world__snapshot(&world);
	assert_int_equal(snap->n_processes, 999);
	for (size_t i = 0; i < snap->n_processes; i++)
		assert_int_equal(snap->processes[i].copies, 3);
	assert_int_equal(snap->sites[0].processes, 999);
}

static void test_children_and_times(void **state)
{
	const struct snapshot *snap;

	(void)state;
	world__process(&world, (struct process_facts){.pid = 1, .command = "m", .started = START});
	start(2, 2, "w");
	start(3, 3, "w");
	world__process(&world,
		       (struct process_facts){
			       .pid = 4, .ppid = 3, .forked = true, .started = START + 4 * SECOND});
	snap = world__snapshot(&world);
	assert_int_equal(snap->processes[0].children, 2);
	assert_int_equal(snap->processes[2].children, 1);
	assert_true(snap->processes[0].forked_at == 0.0);
	assert_true(snap->processes[1].forked_at == 2.0);
}

static void test_fork_before_the_trace_is_negative(void **state)
{
	(void)state;
	world__process(&world,
		       (struct process_facts){
			       .pid = 4, .ppid = 3, .forked = true, .started = START - SECOND});
	assert_true(world__snapshot(&world)->processes[0].forked_at == -1.0);
}

static void test_snapshot_does_not_move_on(void **state)
{
	const struct snapshot *snap;

	(void)state;
	copy(1, 1, 2);
	snap = world__snapshot(&world);
	aggregate__set_source(world.agg, 0, "x = 1");
	aggregate__set_source(world.agg, 99, "no such site");
	assert_string_equal(snap->sites[0].source, "x = 1");
	copy(1, 1, 2);
	assert_int_equal(world__snapshot(&world)->sites[0].copies, 4);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums_are_exact),
		TEST(test_types_leave_out_what_has_none),
		TEST(test_site_merges_details_and_processes),
		TEST(test_site_without_a_line_is_native),
		TEST(test_cut_stack_says_so_at_its_root),
		TEST(test_order_does_not_depend_on_arrival),
		TEST(test_equal_texts_are_one_row),
		TEST(test_stacks_are_told_apart),
		TEST(test_pid_that_comes_back_is_another_process),
		TEST(test_older_process_may_be_told_later),
		TEST(test_copy_before_its_process_is_kept),
		TEST(test_many_processes),
		TEST(test_children_and_times),
		TEST(test_fork_before_the_trace_is_negative),
		TEST(test_snapshot_does_not_move_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
