/* SPDX-License-Identifier: MIT */
/* Counts of the last seconds beside those since the start. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/intern.h"
#include "model/cause.h"
#include "model/facts.h"
#include "model/live.h"

#define SECOND 1000000000ull

static struct intern *pool;
static struct live *live;
static uint64_t now;

static int setup(void **state)
{
	(void)state;
	now = 100 * SECOND;
	return intern__new(&pool) || live__new(now, &live);
}

static int teardown(void **state)
{
	(void)state;
	live__free(live);
	intern__free(pool);
	return 0;
}

static void tick(void)
{
	now += SECOND;
	live__tick(live, now);
}

static const struct live_view *view(unsigned int ticks)
{
	const struct live_view *v;

	assert_int_equal(live__view(live, ticks, &v), 0);
	return v;
}

static void process(uint32_t number, uint32_t pid, uint32_t ppid, bool exited)
{
	struct process_facts facts = {.pid = pid, .ppid = ppid, .forked = ppid, .exited = exited};

	live__process(live, number, &facts);
}

/* A native symbol writes n times. */
static void write_pages(uint32_t number, const char *symbol, uint8_t cause, unsigned int n)
{
	struct fault_facts facts = {.symbol = intern__str(pool, symbol)};
	struct verdict verdict = {.cause = cause, .detail = ""};

	while (n--)
		live__add(live, number, &facts, &verdict);
}

static const struct live_row *row(const struct live_table *t, const char *function)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->rows[i].function, function) == 0)
			return &t->rows[i];
	fail_msg("no row of %s", function);
	return NULL;
}

static struct live_sum sum_of(const struct live_table *t)
{
	struct live_sum sum = t->others.recent;

	for (size_t i = 0; i < t->n; i++) {
		sum.copies += t->rows[i].n.recent.copies;
		sum.pages += t->rows[i].n.recent.pages;
	}
	return sum;
}

static void nothing_yet(void **state)
{
	(void)state;
	assert_int_equal(view(5)->n.total.copies, 0);
	assert_true(view(5)->seconds == 0);
	process(1, 40, 0, false);
	assert_int_equal(view(5)->n_processes, 1);
	assert_int_equal(view(5)->processes[0].facts.pid, 40);
}

/* What belongs to the second that goes on is in no window yet, and in the sum. */
static void a_window_has_whole_ticks(void **state)
{
	const struct live_view *v;

	(void)state;
	process(1, 40, 0, false);
	write_pages(1, "a", CAUSE_REFCOUNT, 3);
	tick();
	write_pages(1, "a", CAUSE_REFCOUNT, 5);
	write_pages(1, "b", CAUSE_BUFFER, 7);
	tick();
	write_pages(1, "b", CAUSE_BUFFER, 11);
	v = view(1);
	assert_true(v->seconds == 1.0);
	assert_int_equal(v->n.recent.copies, 12);
	assert_int_equal(v->n.total.copies, 26);
	assert_int_equal(row(&v->sites, "a")->n.recent.copies, 5);
	assert_int_equal(row(&v->sites, "b")->n.recent.copies, 7);
	assert_int_equal(row(&v->sites, "b")->n.total.copies, 18);
	assert_int_equal(v->processes[0].n.recent.copies, 12);
	v = view(60);
	assert_true(v->seconds == 2.0);
	assert_int_equal(v->n.recent.copies, 15);
	assert_int_equal(row(&v->sites, "a")->n.recent.copies, 8);
	assert_int_equal(v->causes.n, 2);
	tick();
	assert_int_equal(view(1)->n.recent.copies, 11);
	for (int i = 0; i < 5; i++)
		tick();
	v = view(5);
	assert_true(v->seconds == 5.0);
	assert_int_equal(v->n.recent.copies, 0);
	assert_int_equal(v->n.total.copies, 26);
	assert_int_equal(view(6)->n.recent.copies, 11);
}

/* The slots go round. */
static void after_many_ticks(void **state)
{
	(void)state;
	process(1, 40, 0, false);
	for (int i = 0; i < 3 * LIVE_TICKS; i++) {
		write_pages(1, "a", CAUSE_REFCOUNT, i % 2 ? 2 : 3);
		tick();
	}
	assert_int_equal(view(1)->n.recent.copies, 2);
	assert_int_equal(view(2)->n.recent.copies, 5);
	assert_int_equal(view(LIVE_TICKS - 1)->n.recent.copies, 2 * 32 + 3 * 31);
	assert_int_equal(view(1000)->n.recent.copies, 2 * 32 + 3 * 31);
	assert_true(view(1000)->seconds == LIVE_TICKS - 1);
	for (int i = 0; i < LIVE_TICKS + 3; i++)
		tick();
	assert_int_equal(view(LIVE_TICKS - 1)->n.recent.copies, 0);
	write_pages(1, "a", CAUSE_REFCOUNT, 13);
	tick();
	assert_int_equal(row(&view(LIVE_TICKS - 1)->sites, "a")->n.recent.copies, 13);
}

/* A tick is as long as it was. */
static void a_late_tick(void **state)
{
	(void)state;
	tick();
	write_pages(1, "a", CAUSE_REFCOUNT, 6);
	now += 2 * SECOND;
	tick();
	assert_true(view(1)->seconds == 3.0);
	assert_int_equal(view(1)->n.recent.copies, 6);
}

static void python_lines_and_system_calls(void **state)
{
	struct {
		struct stack_fact stack;
		struct frame_fact leaf;
	} s = {.stack = {.n = 1}, .leaf = {intern__str(pool, "app.py"), "f", 14, 0}};
	struct fault_facts facts = {.stack = &s.stack, .symbol = "memcpy", .order = 9};
	struct verdict verdict = {.cause = CAUSE_REFCOUNT, .detail = "inc", .type = "int"};
	const struct live_view *v;

	(void)state;
	live__add(live, 1, &facts, &verdict);
	s.leaf.file = NULL; /* its name could not be had: as in the report, the symbol stands in */
	live__add(live, 1, &facts, &verdict);
	facts.kernel = true;
	facts.syscall = "read";
	live__add(live, 1, &facts, &verdict);
	tick();
	v = view(5);
	assert_int_equal(v->sites.n, 3);
	assert_string_equal(row(&v->sites, "f")->file, "app.py");
	assert_int_equal(row(&v->sites, "f")->line, 14);
	assert_string_equal(row(&v->sites, "f")->type, "int");
	assert_int_equal(row(&v->sites, "f")->n.recent.pages, 512);
	assert_null(row(&v->sites, "memcpy")->file);
	assert_true(row(&v->sites, "read")->kernel);
	assert_int_equal(v->causes.n, 1);
	assert_int_equal(v->causes.rows[0].n.recent.copies, 3);
	assert_int_equal(v->n.recent.pages, 3 * 512);
}

static void more_sites_than_rows(void **state)
{
	const struct live_view *v;
	char name[16];

	(void)state;
	process(1, 40, 0, false);
	write_pages(1, "old", CAUSE_REFCOUNT, 1000);
	tick();
	for (int i = 0; i < 2 * LIVE_ROWS; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		write_pages(1, name, CAUSE_REFCOUNT, 1);
		if (i % 100 == 0)
			write_pages(1, "busy", CAUSE_REFCOUNT, 10);
		if (i == LIVE_ROWS)
			tick();
	}
	tick();
	v = view(3);
	assert_true(v->sites.n <= LIVE_ROWS);
	assert_int_equal(row(&v->sites, "busy")->n.total.copies, 10 * 82);
	for (size_t i = 0; i < v->sites.n; i++) /* of many copies, but the first to fall silent */
		assert_string_not_equal(v->sites.rows[i].function, "old");
	assert_int_equal(v->sites.n + v->sites.n_others, 2 * LIVE_ROWS + 2);
	assert_true(v->sites.n_others > 0);
	/* Nothing is missing from any window. */
	for (unsigned int i = 1; i <= 3; i++) {
		v = view(i);
		assert_int_equal(sum_of(&v->sites).copies, v->n.recent.copies);
		assert_int_equal(sum_of(&v->causes).copies, v->n.recent.copies);
	}
	assert_int_equal(v->n.recent.copies, 1000 + 2 * LIVE_ROWS + 820);
}

static void children_that_live(void **state)
{
	const struct live_view *v;

	(void)state;
	process(1, 40, 0, false);
	process(2, 41, 40, false);
	process(3, 42, 40, false);
	process(4, 43, 42, false);
	tick();
	v = view(1);
	assert_int_equal(v->n_processes, 4);
	assert_int_equal(v->processes[0].children, 2);
	assert_int_equal(v->processes[2].children, 1);
	assert_int_equal(v->processes[3].children, 0);
	process(3, 42, 40, true);
	v = view(1);
	assert_int_equal(v->processes[0].children, 1);
}

/* The row of one that has ended stays as long as its copies are in a window. */
static void processes_that_end(void **state)
{
	const struct live_view *v;

	(void)state;
	process(1, 40, 0, false);
	process(2, 41, 40, false);
	write_pages(1, "a", CAUSE_REFCOUNT, 3);
	write_pages(2, "a", CAUSE_REFCOUNT, 5);
	write_pages(9, "a", CAUSE_REFCOUNT, 7); /* nobody has told about it */
	tick();
	process(2, 41, 40, true);
	tick();
	v = view(2);
	assert_int_equal(v->n_processes, 2);
	assert_true(v->processes[1].facts.exited);
	assert_int_equal(v->processes[1].n.recent.copies, 5);
	assert_int_equal(v->ended.recent.copies, 7);
	for (int i = 0; i < LIVE_TICKS; i++)
		tick();
	v = view(2);
	assert_int_equal(v->n_processes, 1);
	assert_int_equal(v->n_ended, 2);
	assert_int_equal(v->ended.total.copies, 12);
	assert_int_equal(v->processes[0].n.total.copies, 3);
	assert_int_equal(v->n.total.copies, 15);
	process(3, 41, 40, false); /* the next one with this pid */
	v = view(2);
	assert_int_equal(v->n_processes, 2);
	assert_int_equal(v->processes[1].number, 3);
}

#define LIVE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE(nothing_yet),
		LIVE(a_window_has_whole_ticks),
		LIVE(after_many_ticks),
		LIVE(a_late_tick),
		LIVE(python_lines_and_system_calls),
		LIVE(more_sites_than_rows),
		LIVE(children_that_live),
		LIVE(processes_that_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
