/* SPDX-License-Identifier: MIT */
/* What of one run is compared with what of the other: lines, files, commands, stacks. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "compare_world.h"
#include "model/compare_parts.h"

/* --- lines ------------------------------------------------------------------- */

static void test_lines_that_did_not_move(void **state)
{
	(void)state;
	add_workers();
	copy_at(&older, 5, "/a.py", "f", 3, "int", 23);
	copy_at(&older, 5, "/a.py", "f", 4, "int", 29);
	copy_at(&newer, 9, "/a.py", "f", 4, "int", 31);
	copy_at(&newer, 9, "/a.py", "f", 3, "int", 37);
	compare();
	assert_row(site("f", 3, "int"), 23, 37);
	assert_row(site("f", 4, "int"), 29, 31);
	assert_null(site("f", 3, "int")->older_file);
}

/* Five lines were added above: line 8 has the number that another one had. */
static void test_lines_that_moved_together(void **state)
{
	(void)state;
	add_workers();
	copy_at(&older, 5, "/a.py", "f", 3, "int", 23);
	copy_at(&older, 5, "/a.py", "f", 8, "int", 29);
	copy_at(&older, 5, "/a.py", "f", 9, "int", 31);
	copy_at(&newer, 9, "/a.py", "f", 8, "int", 37);
	copy_at(&newer, 9, "/a.py", "f", 13, "int", 41);
	copy_at(&newer, 9, "/a.py", "f", 14, "int", 43);
	compare();
	assert_int_equal(comparison->sites.n, 3);
	assert_row(site("f", 8, "int"), 23, 37);
	assert_row(site("f", 13, "int"), 29, 41);
	assert_row(site("f", 14, "int"), 31, 43);
	assert_string_equal(site("f", 8, "int")->older_file, "/a.py");
	assert_int_equal(site("f", 8, "int")->older_line, 3);
}

/* What one function can not tell, the others of its file do. */
static void test_lines_that_moved_with_their_file(void **state)
{
	(void)state;
	add_workers();
	copy_at(&older, 5, "/a.py", "f", 3, "int", 23);
	copy_at(&older, 5, "/a.py", "f", 6, "int", 29);
	copy_at(&older, 5, "/a.py", "g", 9, "int", 31);
	copy_at(&newer, 9, "/a.py", "f", 7, "int", 37);
	copy_at(&newer, 9, "/a.py", "f", 10, "int", 41);
	copy_at(&newer, 9, "/a.py", "g", 11, "str", 43); /* new, and nearer */
	copy_at(&newer, 9, "/a.py", "g", 13, "int", 47);
	compare();
	assert_row(site("f", 7, "int"), 23, 37);
	assert_row(site("f", 10, "int"), 29, 41);
	assert_row(site("g", 13, "int"), 31, 47);
	assert_row(site("g", 11, "str"), 0, 43);
}

static void test_lines_with_the_same_text(void **state)
{
	(void)state;
	add_workers();
	older.source = "    for x in data:\n";
	older.source_line = 3;
	newer.source = "        for x in data:\n"; /* inside of a with */
	newer.source_line = 11;
	copy_at(&older, 5, "/a.py", "f", 3, "int", 23);
	copy_at(&older, 5, "/a.py", "f", 5, "int", 29);
	copy_at(&newer, 9, "/a.py", "f", 3, "int", 31); /* another line now */
	copy_at(&newer, 9, "/a.py", "f", 11, "int", 37);
	compare();
	assert_row(site("f", 11, "int"), 23, 37);
	assert_row(site("f", 3, "int"), 29, 31); /* what remains */
}

/* The text tells that it is not the line with the same number. */
static void test_another_text_is_another_line(void **state)
{
	struct line then[] = {{.function = "f", .file = "/a", .line = 3, .source = "a()"},
			      {.function = "f", .file = "/a", .line = 4, .source = "b()"}};
	struct line now[] = {{.function = "f", .file = "/a", .line = 4, .source = "a()"},
			     {.function = "f", .file = "/a", .line = 5, .source = "b()"}};

	(void)state;
	lines__match(then, 2, now, 2);
	assert_int_equal(then[0].partner, 4);
	assert_int_equal(then[1].partner, 5);
	assert_int_equal(now[0].partner, 3);
}

static void test_one_text_twice(void **state)
{
	struct line then[] = {{.function = "f", .file = "/a", .line = 3, .source = "a()"},
			      {.function = "f", .file = "/a", .line = 7, .source = "a()"}};
	struct line now[] = {{.function = "f", .file = "/a", .line = 7, .source = "a()"},
			     {.function = "f", .file = "/a", .line = 9, .source = "a()"}};

	(void)state;
	lines__match(then, 2, now, 2);
	assert_int_equal(then[1].partner, 7);
	assert_int_equal(then[0].partner, 9);
}

static void test_functions_are_not_mixed(void **state)
{
	(void)state;
	add_workers();
	copy_at(&older, 5, "/a.py", "f", 3, "int", 23);
	copy_at(&newer, 9, "/a.py", "g", 3, "int", 23);
	compare();
	assert_int_equal(site("f", 3, "int")->state, COMPARISON_GONE);
	assert_int_equal(site("g", 3, "int")->state, COMPARISON_APPEARED);
}

/* A line that is gone does not get the numbers of the one that has its number now. */
static void test_a_lost_line_stays_alone(void **state)
{
	(void)state;
	add_workers();
	older.source = newer.source = "read()";
	older.source_line = 3;
	newer.source_line = 5;
	copy_at(&older, 5, "/a.py", "f", 3, "int", 23); /* moves to 5 */
	copy_at(&older, 5, "/a.py", "f", 5, "int", 29); /* is gone */
	copy_at(&newer, 9, "/a.py", "f", 5, "int", 31);
	compare();
	assert_int_equal(comparison->sites.n, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct comparison_row *row = &comparison->sites.rows[i];

		if (row->newer.copies)
			assert_row(row, 23, 31);
		else
			assert_row(row, 29, 0);
	}
}

/* One line became two: the kind of copy that has no other is its successor. */
static void test_a_line_that_was_split(void **state)
{
	(void)state;
	add_workers();
	copy_at(&older, 5, "/a.py", "f", 3, "int", 23);
	copy_at(&older, 5, "/a.py", "f", 3, "str", 29);
	copy_at(&newer, 9, "/a.py", "f", 3, "int", 31);
	copy_at(&newer, 9, "/a.py", "f", 4, "str", 37);
	compare();
	assert_row(site("f", 3, "int"), 23, 31);
	assert_row(site("f", 4, "str"), 29, 37);
	assert_int_equal(site("f", 4, "str")->older_line, 3);
}

static void test_unknown_lines(void **state)
{
	(void)state;
	add_workers();
	copy_at(&older, 5, "/a.py", "f", 0, "int", 23);
	copy_at(&newer, 9, "/a.py", "f", 0, "int", 29);
	copy_at(&newer, 9, "/a.py", "f", 7, "int", 31);
	compare();
	assert_row(site("f", 0, "int"), 23, 29);
	assert_row(site("f", 7, "int"), 0, 31);
}

/* Whoever writes a file like this has to wait no longer than it takes to read it. */
static void test_many_lines(void **state)
{
	const size_t n = 100000;
	_free_ struct line *then = calloc(n, sizeof(*then)), *now = calloc(n, sizeof(*now));

	(void)state;
	for (size_t i = 0; i < n; i++) {
		then[i] =
			(struct line){.function = "f", .file = "/a", .line = (uint32_t)(2 * i + 1)};
		now[i] =
			(struct line){.function = "f", .file = "/a", .line = (uint32_t)(3 * i + 1)};
	}
	lines__match(then, n, now, n);
	for (size_t i = 0; i < n; i++)
		assert_int_not_equal(then[i].partner, 0);
}

/* --- files and commands ------------------------------------------------------ */

/* The same function at the same line of two files: is it one? */
static void assert_file(const char *then, const char *now, bool same)
{
	close_worlds(NULL);
	open_worlds(NULL);
	add_workers();
	copy_at(&older, 5, then, "f", 3, "int", 23);
	copy_at(&newer, 9, now, "f", 3, "int", 29);
	compare();
	assert_int_equal(comparison->sites.n, same ? 1 : 2);
	if (same) {
		assert_row(site("f", 3, "int"), 23, 29);
		assert_string_equal(site("f", 3, "int")->file, now);
	}
}

static void test_renamed_roots(void **state)
{
	(void)state;
	assert_file("/srv/app-1.2/app.py", "/srv/app-1.3/app.py", true);
	assert_file("/usr/lib/python3.11/json/decoder.py", "/usr/lib/python3.14/json/decoder.py",
		    true);
	assert_file("/usr/lib/python3.11/json/__init__.py", "/usr/lib/python3.14/json/__init__.py",
		    true);
	assert_file("/srv/a/app.py", "app.py", true);
	assert_file("/srv/a/app.py", "/srv/a/map.py", false);
	assert_file("/srv/a/app.py", "/srv/a/xapp.py", false);
	assert_file("/srv/json/__init__.py", "/srv/logging/__init__.py", false);
	assert_file("<string>", "<stdin>", false);
	assert_file("", "/", false);
}

/* Each file has its partner, by more than its name. */
static void test_files_of_the_same_name(void **state)
{
	static const char *const files[] = {"orders/views.py", "users/views.py", "views.py"};
	char path[64];

	(void)state;
	add_workers();
	for (uint32_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "/srv/releases/17/shop/%s", files[i]);
		copy_at(&older, 5, path, "get", 3, "int", 23 + i);
		snprintf(path, sizeof(path), "/srv/releases/18/shop/%s", files[i]);
		copy_at(&newer, 9, path, "get", 3, "int", 123 + i);
	}
	compare();
	assert_int_equal(comparison->sites.n, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(comparison->sites.rows[i].newer.copies,
				 comparison->sites.rows[i].older.copies + 100);
}

/* Which of the two it was nobody knows. */
static void test_ambiguous_files_are_not_matched(void **state)
{
	(void)state;
	add_workers();
	copy_at(&older, 5, "/srv/a/views.py", "get", 3, "int", 23);
	copy_at(&newer, 9, "/srv/b/views.py", "get", 3, "int", 29);
	copy_at(&newer, 9, "/srv/c/views.py", "get", 3, "int", 31);
	compare();
	assert_int_equal(comparison->sites.n, 3);
}

/* A file that is still there is itself, whatever else is called alike. */
static void test_a_file_that_stayed(void **state)
{
	(void)state;
	add_workers();
	copy_at(&older, 5, "/srv/a/views.py", "get", 3, "int", 23);
	copy_at(&newer, 9, "/srv/a/views.py", "get", 3, "int", 29);
	copy_at(&newer, 9, "/srv/c/views.py", "get", 3, "int", 31);
	compare();
	assert_int_equal(comparison->sites.n, 2);
	for (size_t i = 0; i < 2; i++)
		if (comparison->sites.rows[i].older.copies)
			assert_row(&comparison->sites.rows[i], 23, 29);
}

static void test_commands(void **state)
{
	static const struct {
		const char *then, *now;
		size_t rows;
	} pairs[] = {
		{"python3.11 app.py", "python3.14 app.py", 1},
		{"gunicorn: worker [a]", "gunicorn: worker [a]", 1},
		{"gunicorn", "uwsgi", 2},
		{"", "7", 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		close_worlds(NULL);
		open_worlds(NULL);
		add_process(&older, 5, pairs[i].then, true);
		add_process(&newer, 5, pairs[i].now, true);
		copy_at(&older, 5, "/a.py", "f", 3, "int", 23);
		copy_at(&newer, 5, "/a.py", "f", 3, "int", 29);
		compare();
		assert_int_equal(comparison->processes.n, pairs[i].rows);
		assert_int_equal(comparison->n_stacks, pairs[i].rows);
	}
}

/* Workers that have numbers are one group; so they are if only one of them is there now. */
static void test_numbered_workers(void **state)
{
	char command[32];

	(void)state;
	for (uint32_t pid = 1; pid < 6; pid++) {
		snprintf(command, sizeof(command), "ForkPoolWorker-%u", pid);
		add_process(&older, pid, command, true);
		add_process(&newer, pid, command, pid != 4);
	}
	compare();
	assert_int_equal(comparison->older_workers, 5);
	assert_int_equal(comparison->newer_workers, 4);
	assert_string_equal(comparison->newer_worker, "ForkPoolWorker-*");
	assert_int_equal(comparison->processes.n, 2);
}

static void test_numbers_in_commands(void **state)
{
	static const char *const commands[] = {"",    "7",   "1.2", "...",  ".",
					       "a1b", "ab1", "a.b", "a..1b"};

	(void)state;
	for (uint32_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		add_process(&older, i + 1, commands[i], true);
		add_process(&newer, 100 - i, commands[i], true);
	}
	compare();
	assert_int_equal(comparison->processes.n, 2);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(comparison->processes.rows[i].older_processes,
				 comparison->processes.rows[i].newer_processes);
}

/* A master is not one of its workers, though it has their name. */
static void test_roles(void **state)
{
	(void)state;
	add_process(&older, 1, "app", false);
	add_process(&older, 5, "app", true);
	add_process(&newer, 9, "app", false);
	add_process(&newer, 1, "app", true);
	copy_at(&older, 1, "/a.py", "f", 3, "int", 23);
	copy_at(&older, 5, "/a.py", "f", 3, "int", 29);
	copy_at(&newer, 9, "/a.py", "f", 3, "int", 31);
	copy_at(&newer, 1, "/a.py", "f", 3, "int", 37);
	compare();
	assert_int_equal(comparison->processes.n, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct comparison_row *row = &comparison->processes.rows[i];

		assert_row(row, row->worker ? 29 : 23, row->worker ? 37 : 31);
	}
}

/* --- stacks ------------------------------------------------------------------ */

static void test_stacks_meet_where_they_are_now(void **state)
{
	(void)state;
	add_workers();
	copy_at(&older, 5, "/srv/app-1/a.py", "f", 3, "int", 23);
	copy_at(&newer, 9, "/srv/app-2/a.py", "f", 8, "int", 29);
	copy_at(&newer, 9, "/srv/app-2/a.py", "g", 9, "int", 31);
	compare();
	assert_int_equal(comparison->n_stacks, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct snapshot_stack *stack = &comparison->stacks[i];
		const struct comparison_weight *weight = &comparison->weights[i];
		bool moved = strcmp(stack->frames[1].function, "f") == 0;

		assert_string_equal(stack->frames[1].file, "/srv/app-2/a.py");
		assert_int_equal(stack->frames[1].line, moved ? 8 : 9);
		assert_int_equal(weight->older.copies, moved ? 23 : 0);
		assert_int_equal(weight->newer.copies, moved ? 29 : 31);
		assert_int_equal(weight->newer.per_worker, (moved ? 29 : 31) * PAGE);
		assert_int_equal(stack->copies, weight->newer.copies);
	}
}

/* A worker of one run that copies in a comprehension. */
static void copy_in(struct world *w, uint32_t pid, const char *function, uint64_t n)
{
	struct stack_fact *stack = strstr(function, "comp>")
					   ? STACK(w, CT_UNWIND_COMPLETE, {"/a.py", function, 7, 0},
						   {"/a.py", "f", 6, 0}, {"/a.py", "main", 30, 0})
					   : STACK(w, CT_UNWIND_COMPLETE, {"/a.py", function, 7, 0},
						   {"/a.py", "main", 30, 0});

	world__copy(
		w, n,
		(struct deed){.pid = pid, .cause = CAUSE_REFCOUNT, .type = "int", .stack = stack});
}

/* From 3.11 to 3.12 (PEP 709). */
static void test_comprehensions_were_inlined(void **state)
{
	static const char *const functions[] = {"f.<locals>.<listcomp>", "f.<locals>.<dictcomp>",
						"f.<locals>.<setcomp>.<listcomp>"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		close_worlds(NULL);
		open_worlds(NULL);
		add_workers();
		copy_in(&older, 5, functions[i], 23);
		copy_in(&newer, 9, "f", 29);
		compare();
		assert_int_equal(comparison->sites.n, 1);
		assert_row(site("f", 7, "int"), 23, 29);
		assert_int_equal(comparison->n_stacks, 1);
		assert_int_equal(comparison->stacks[0].n, 2);
	}
}

static void test_what_is_no_inlined_comprehension(void **state)
{
	static const char *const functions[] = {"f.<locals>.<lambda>", ".<locals>.<listcomp>",
						"<listcomp>",	       "g.<locals>.<listcomp>",
						"f.<listcomp>",	       ".<listcomp>",
						"f.<locals>.<genexpr>"};

	(void)state;
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		close_worlds(NULL);
		open_worlds(NULL);
		add_workers();
		copy_in(&older, 5, functions[i], 23);
		copy_in(&newer, 9, "f", 29);
		compare();
		assert_int_equal(comparison->sites.n, 2);
	}
	/* Where it still is a function, it is compared as one. */
	close_worlds(NULL);
	open_worlds(NULL);
	add_workers();
	copy_in(&older, 5, "f.<locals>.<listcomp>", 23);
	copy_in(&newer, 9, "f.<locals>.<listcomp>", 29);
	copy_in(&newer, 9, "f", 31);
	compare();
	assert_row(site("f.<locals>.<listcomp>", 7, "int"), 23, 29);
	assert_row(site("f", 7, "int"), 0, 31);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lines_that_did_not_move),
		TEST(test_lines_that_moved_together),
		TEST(test_lines_that_moved_with_their_file),
		TEST(test_lines_with_the_same_text),
		TEST(test_another_text_is_another_line),
		TEST(test_one_text_twice),
		TEST(test_functions_are_not_mixed),
		TEST(test_a_lost_line_stays_alone),
		TEST(test_a_line_that_was_split),
		TEST(test_unknown_lines),
		TEST(test_many_lines),
		TEST(test_renamed_roots),
		TEST(test_files_of_the_same_name),
		TEST(test_ambiguous_files_are_not_matched),
		TEST(test_a_file_that_stayed),
		TEST(test_commands),
		TEST(test_numbered_workers),
		TEST(test_numbers_in_commands),
		TEST(test_roles),
		TEST(test_stacks_meet_where_they_are_now),
		TEST(test_comprehensions_were_inlined),
		TEST(test_what_is_no_inlined_comprehension),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
