/* SPDX-License-Identifier: MIT */
/* The tree of the flame graph, and what it leaves out. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "golden_pairs.h"
#include "sink/flame.h"

#define ALL 1000000

static struct world world;
static struct flame *flame;

static int open_world(void **state)
{
	(void)state;
	world__open(&world);
	flame = NULL;
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	flame__free(flame);
	world__close(&world);
	return 0;
}

static void make(size_t max)
{
	assert_int_equal(flame__new(world__snapshot(&world), max, &flame), 0);
}

static const char *name_of(const struct flame_node *node)
{
	switch (node->kind) {
	case FLAME_ALL:
		return "all";
	case FLAME_NOW:
		return "now";
	case FLAME_LESS:
		return "less";
	case FLAME_PROCESS:
		return node->role ? node->role->command : node->process->command;
	case FLAME_FRAME:
		return node->frame->function;
	case FLAME_REST:
		return "rest";
	default:
		return node->name ? node->name : "lost";
	}
}

/* want: a line for each node, in order: depth, name, start, pages */
static void check(const char *want)
{
	char got[4096], *to = got;

	for (size_t i = 0; i < flame->n; i++)
		to += snprintf(to, sizeof(got) - (size_t)(to - got), "%u %s %llu %llu\n",
			       flame->nodes[i].depth, name_of(&flame->nodes[i]),
			       (unsigned long long)flame->nodes[i].start / PAGE,
			       (unsigned long long)flame->nodes[i].bytes / PAGE);
	assert_string_equal(got, want);
}

static void start(uint32_t pid, const char *command)
{
	world__process(&world, (struct process_facts){
				       .pid = pid, .command = command, .started = START + pid});
}

static void deed(uint64_t n, uint32_t pid, const struct stack_fact *stack, uint8_t cause,
		 const char *type)
{
	world__copy(&world, n,
		    (struct deed){.pid = pid, .cause = cause, .type = type, .stack = stack});
}

/* Equal lines of different stacks are one frame; a line where one stack ends and another goes on is
 * one, too. */
static void test_common_frames_are_one(void **state)
{
	struct stack_fact *f =
		STACK(&world, CT_UNWIND_COMPLETE, {"a.py", "f", 2, 0}, {"a.py", "main", 1, 0});
	struct stack_fact *g =
		STACK(&world, CT_UNWIND_COMPLETE, {"a.py", "g", 3, 0}, {"a.py", "main", 1, 0});
	struct stack_fact *top = STACK(&world, CT_UNWIND_COMPLETE, {"a.py", "main", 1, 0});

	(void)state;
	start(1, "x");
	start(2, "y");
	deed(5, 1, f, CAUSE_REFCOUNT, "int");
	deed(2, 1, f, CAUSE_REFCOUNT, "str");
	deed(1, 1, f, CAUSE_GC_HEADER, NULL);
	deed(3, 1, g, CAUSE_REFCOUNT, "int");
	deed(4, 1, top, CAUSE_REFCOUNT, "int");
	deed(16, 2, g, CAUSE_STACK, NULL);
	make(ALL);
	check("0 all 0 31\n"
	      "1 y 0 16\n2 main 0 16\n3 g 0 16\n4 stack 0 16\n"
	      "1 x 16 15\n2 main 16 15\n"
	      "3 f 16 8\n4 refcount 16 7\n5 int 16 5\n5 str 21 2\n4 gc-header 23 1\n"
	      "3 refcount 24 4\n4 int 24 4\n"
	      "3 g 28 3\n4 refcount 28 3\n5 int 28 3\n");
	assert_int_equal(flame->depth, 5);
	assert_int_equal(flame->dropped, 0);
}

/* Copies that the labels of pprof tell apart are one here. */
static void test_certainty_and_origin_make_no_frames(void **state)
{
	struct deed d = {.pid = 1, .symbol = "f", .unwind = CT_UNWIND_NO_FRAME};

	(void)state;
	start(1, "x");
	world__copy(&world, 2, d);
	d.certainty = CERTAINTY_LIKELY;
	world__copy(&world, 3, d);
	d.origin = CT_ORIGIN_ZERO;
	world__copy(&world, 4, d);
	make(ALL);
	check("0 all 0 9\n1 x 0 9\n2 f 0 9\n3 refcount 0 9\n");
}

static void test_processes_with_one_pid_are_two(void **state)
{
	struct deed d = {.pid = 1, .symbol = "f", .unwind = CT_UNWIND_NO_FRAME};

	(void)state;
	start(1, "x");
	world__copy(&world, 2, d);
	world__process(&world, (struct process_facts){
				       .pid = 1, .command = "again", .started = START + SECOND});
	world__copy(&world, 3, d); /* at START + 2 s: by the newer one */
	make(ALL);
	check("0 all 0 5\n1 again 0 3\n2 f 0 3\n3 refcount 0 3\n1 x 3 2\n2 f 3 2\n3 refcount 3 "
	      "2\n");
}

static void test_lost_copies_stand_last(void **state)
{
	(void)state;
	start(1, "x");
	world__copy(&world, 2,
		    (struct deed){.pid = 1, .symbol = "f", .unwind = CT_UNWIND_NO_FRAME});
	world.capture.lost = 9;
	world.capture.lost_by_reason[CT_LOST_RING_FULL] = 8;
	world.capture.lost_by_reason[CT_LOST_BAD_RECORD] = 1;
	make(ALL);
	check("0 all 0 11\n1 x 0 2\n2 f 0 2\n3 refcount 0 2\n"
	      "1 lost 2 9\n2 ring_full 2 8\n2 bad_record 10 1\n");
}

static void test_without_copies_there_is_a_root(void **state)
{
	(void)state;
	make(ALL);
	check("0 all 0 0\n");
}

/* Nothing vanishes: what is too small stands together, below the parent that it has. */
static void test_the_smallest_are_left_out(void **state)
{
	static const char *const names[] = {"a", "b", "c", "d"};

	(void)state;
	start(1, "x");
	for (unsigned int i = 0; i < 4; i++)
		world__copy(
			&world, 9 - i,
			(struct deed){.pid = 1, .symbol = names[i], .unwind = CT_UNWIND_NO_FRAME});
	make(6); /* of 10 */
	check("0 all 0 30\n1 x 0 30\n2 a 0 9\n3 refcount 0 9\n2 b 9 8\n3 refcount 9 8\n2 rest 17 "
	      "13\n");
	assert_int_equal(flame->dropped, 4);
	assert_int_equal(flame->smallest, 7 * PAGE + 1);
	assert_int_equal(flame->nodes[6].dropped, 4);
	assert_int_equal(flame->nodes[6].copies, 13);
}

/* Of equal ones, all stay or none: chance would choose. */
static void test_equal_nodes_go_together(void **state)
{
	char name[16];

	(void)state;
	start(1, "x");
	for (unsigned int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		world__copy(&world, 3,
			    (struct deed){.pid = 1, .symbol = name, .unwind = CT_UNWIND_NO_FRAME});
	}
	make(50);
	check("0 all 0 300\n1 x 0 300\n2 rest 0 300\n");
	assert_int_equal(flame->dropped, 200);
}

/* Each kept node is inside of one that is kept, and siblings do not overlap, whatever is left out.
 */
static void check_nesting(void)
{
	uint64_t end[512] = {0};

	for (size_t i = 0; i < flame->n; i++) {
		const struct flame_node *node = &flame->nodes[i];

		assert_true(node->depth < 512);
		if (i) {
			assert_true(node->depth <= flame->nodes[i - 1].depth + 1);
			assert_true(node->start + node->bytes <= end[node->depth - 1]);
			assert_true(node->start >= end[node->depth] ||
				    node->depth > flame->nodes[i - 1].depth);
		}
		end[node->depth] = node->start + node->bytes;
	}
}

static void test_any_limit_leaves_a_tree(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(golden_cases) / sizeof(golden_cases[0]); i++) {
		for (size_t max = 1; max < 60; max++) {
			close_world(NULL);
			open_world(NULL);
			golden_cases[i].build(&world);
			make(max);
			check_nesting();
			assert_true(flame->n <= 2 * max);
		}
	}
}

/* --- comparisons ------------------------------------------------------------- */

static void run_of(struct world *w, uint64_t f, uint64_t g, uint64_t h)
{
	const char *const names[] = {"f", "g", "h"};
	const uint64_t copies[] = {f, g, h};

	world__process(w, (struct process_facts){.pid = 5,
						 .command = "x",
						 .forked = true,
						 .shared_at_fork = MIB,
						 .started = START});
	for (uint32_t i = 0; i < 3; i++) {
		struct stack_fact *stack =
			STACK(w, CT_UNWIND_COMPLETE, {"a.py", names[i], i + 1, 0});

		world__copy(w, copies[i],
			    (struct deed){.pid = 5, .cause = CAUSE_STACK, .stack = stack});
	}
}

static void before(struct world *w)
{
	run_of(w, 10, 5, 1);
}

static void after(struct world *w)
{
	run_of(w, 4, 0, 7);
}

static const struct flame_node *find(const char *name, bool less)
{
	for (size_t i = 0; i < flame->n; i++)
		if (strcmp(name_of(&flame->nodes[i]), name) == 0 && flame->nodes[i].less == less)
			return &flame->nodes[i];
	fail_msg("no %s", name);
	return NULL;
}

static void assert_weights(const struct flame_node *node, uint64_t older, uint64_t newer)
{
	assert_int_equal(node->older, older * PAGE);
	assert_int_equal(node->newer, newer * PAGE);
}

/* What is now is as wide as that; what is less, as the difference. */
static void test_a_comparison_has_two_parts(void **state)
{
	const struct golden_pair pair = {"", before, after};
	struct pair_world p;

	(void)state;
	pair__open(&pair, &p);
	assert_int_equal(flame__new_changed(&p.snap, ALL, &flame), 0);
	check("0 all 0 22\n"
	      "1 now 0 11\n2 x 0 11\n3 h 0 7\n4 stack 0 7\n3 f 7 4\n4 stack 7 4\n"
	      "1 less 11 11\n2 x 11 11\n3 f 11 6\n4 stack 11 6\n3 g 17 5\n4 stack 17 5\n");
	assert_weights(find("all", false), 16, 11);
	assert_weights(find("now", false), 16, 11); /* with what is gone */
	assert_weights(find("h", false), 1, 7);
	assert_weights(find("f", false), 10, 4);
	assert_weights(find("less", true), 15, 4); /* h has become more */
	assert_weights(find("f", true), 10, 4);
	assert_weights(find("g", true), 5, 0);
	assert_int_equal(flame->dropped, 0);
	pair__close(&p);
}

static void check_parts(const struct comparison *c)
{
	uint64_t now = 0, less = 0;

	for (size_t i = 0; i < c->n_stacks; i++) {
		uint64_t a = c->weights[i].older.per_worker, b = c->weights[i].newer.per_worker;

		now += b;
		less += a > b && comparison__state(a, b) != COMPARISON_SAME ? a - b : 0;
	}
	for (size_t i = 1; i < flame->n; i++) {
		const struct flame_node *node = &flame->nodes[i];

		if (node->kind == FLAME_NOW)
			assert_int_equal(node->bytes, now);
		if (node->kind == FLAME_LESS)
			assert_int_equal(node->bytes, less);
		if (node->kind != FLAME_REST)
			assert_int_equal(node->bytes,
					 node->less ? node->older - node->newer : node->newer);
	}
}

static void test_any_limit_leaves_a_comparison(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_PAIRS; i++) {
		struct pair_world p;

		pair__open(&golden_pairs[i], &p);
		for (size_t max = 1; max < 60; max++) {
			flame__free(flame);
			assert_int_equal(flame__new_changed(&p.snap, max, &flame), 0);
			check_nesting();
			check_parts(p.comparison);
			assert_true(flame->n <= 2 * max);
		}
		pair__close(&p);
		flame__free(flame);
		flame = NULL;
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_common_frames_are_one),
		TEST(test_certainty_and_origin_make_no_frames),
		TEST(test_processes_with_one_pid_are_two),
		TEST(test_lost_copies_stand_last),
		TEST(test_without_copies_there_is_a_root),
		TEST(test_the_smallest_are_left_out),
		TEST(test_equal_nodes_go_together),
		TEST(test_any_limit_leaves_a_tree),
		TEST(test_a_comparison_has_two_parts),
		TEST(test_any_limit_leaves_a_comparison),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
