/* SPDX-License-Identifier: MIT */
/* What is called a change, and what is said beside it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "compare_world.h"

/* --- numbers ----------------------------------------------------------------- */

static void test_per_worker(void **state)
{
	(void)state;
	assert_int_equal(comparison__per_worker(10, 3), 3);
	assert_int_equal(comparison__per_worker(11, 3), 4);
	assert_int_equal(comparison__per_worker(7, 1), 7);
	assert_int_equal(comparison__per_worker(7, 0), 7);
	assert_true(comparison__per_worker(UINT64_MAX, 2) == 1ull << 63);
}

static void test_what_is_a_change(void **state)
{
	(void)state;
	assert_int_equal(comparison__state(0, 0), COMPARISON_SAME);
	assert_int_equal(comparison__state(1000, 1000), COMPARISON_SAME);
	assert_int_equal(comparison__state(1000, 991), COMPARISON_SAME);
	assert_int_equal(comparison__state(1000, 990), COMPARISON_LESS);
	assert_int_equal(comparison__state(991, 1000), COMPARISON_SAME);
	assert_int_equal(comparison__state(990, 1000), COMPARISON_MORE);
	assert_int_equal(comparison__state(0, 1), COMPARISON_APPEARED);
	assert_int_equal(comparison__state(1, 0), COMPARISON_GONE);
	for (int i = COMPARISON_SAME; i <= COMPARISON_GONE; i++)
		assert_non_null(comparison__state_name((enum comparison_state)i));
}

static void test_workers_divide(void **state)
{
	(void)state;
	add_process(&older, 1, "app", false);
	for (uint32_t pid = 2; pid < 4; pid++)
		add_process(&older, pid, "app", true);
	for (uint32_t pid = 20; pid < 23; pid++)
		add_process(&newer, pid, "app", true);
	for (uint32_t pid = 2; pid < 4; pid++)
		copy_at(&older, pid, "/a.py", "f", 3, "int", 23);
	for (uint32_t pid = 20; pid < 23; pid++)
		copy_at(&newer, pid, "/a.py", "f", 3, "int", 23);
	compare();
	assert_int_equal(comparison->older_workers, 2);
	assert_int_equal(comparison->newer_workers, 3);
	assert_int_equal(comparison->total.older.per_worker, 23 * PAGE);
	assert_int_equal(comparison->total.newer.per_worker, 23 * PAGE);
	assert_row(site("f", 3, "int"), 46, 69);
	assert_int_equal(site("f", 3, "int")->state, COMPARISON_SAME);
	assert_false(comparison->any_significant);
	assert_non_null(strstr(comparison->remarks[0].text, "2 workers then, 3 now"));
	assert_false(comparison->remarks[0].unfair);
}

static void test_no_workers_are_one(void **state)
{
	(void)state;
	add_process(&older, 1, "app", false);
	add_process(&newer, 1, "app", false);
	copy_at(&older, 1, "/a.py", "f", 3, "int", 23);
	copy_at(&newer, 1, "/a.py", "f", 3, "int", 29);
	compare();
	assert_int_equal(comparison->older_workers, 0);
	assert_int_equal(comparison->total.older.per_worker, 23 * PAGE);
	assert_int_equal(comparison->total.newer.per_worker, 29 * PAGE);
	assert_int_equal(comparison->n_remarks, 1);
	assert_false(comparison->remarks[0].unfair); /* neither has any: that is alike */
}

/* A shell that starts the program, a helper that it calls: they are not what it is about. */
static void test_helpers_are_no_workers(void **state)
{
	(void)state;
	add_process(&older, 5, "app", true);
	add_process(&newer, 5, "app", true);
	add_process(&newer, 6, "app", true);
	for (uint32_t pid = 100; pid < 120; pid++) {
		add_process(&older, pid, "bash", true);
		copy_at(&older, pid, "/x.py", "x", 1, "int", 1);
	}
	add_process(&newer, 100, "bash", true);
	copy_at(&newer, 100, "/x.py", "x", 1, "int", 7);
	copy_at(&older, 5, "/a.py", "f", 3, "int", 101);
	copy_at(&newer, 5, "/a.py", "f", 3, "int", 1); /* less than the helper: still a worker */
	compare();
	assert_int_equal(comparison->older_workers, 1);
	assert_int_equal(comparison->newer_workers, 2);
	assert_string_equal(comparison->newer_worker, "app");
	assert_int_equal(comparison->total.older.bytes,
			 (101 + 20) * PAGE); /* nothing is left out */
}

/* When cowtrace attaches, the master shares its pages, too: with its workers. */
static void test_an_attached_master_is_no_worker(void **state)
{
	(void)state;
	for (uint32_t pid = 1; pid < 5; pid++) {
		world__process(&newer, (struct process_facts){.pid = pid,
							      .ppid = pid > 1,
							      .command = "app",
							      .attached = true,
							      .forked = pid > 1,
							      .shared_at_fork = MIB,
							      .started = START - 10 + pid});
		add_process(&older, pid, "app", pid > 1);
	}
	compare();
	assert_int_equal(comparison->older_workers, 3);
	assert_int_equal(comparison->newer_workers, 3);
}

static void test_other_workers(void **state)
{
	(void)state;
	for (uint32_t pid = 1; pid < 4; pid++)
		add_process(&older, pid, "gunicorn", true);
	for (uint32_t pid = 1; pid < 6; pid++)
		add_process(&newer, pid, "uvicorn", true);
	compare();
	assert_int_equal(comparison->older_workers, 3);
	assert_int_equal(comparison->newer_workers, 5);
	assert_string_equal(comparison->older_worker, "gunicorn");
	assert_string_equal(comparison->newer_worker, "uvicorn");
}

static void test_nothing_at_all(void **state)
{
	(void)state;
	compare();
	assert_int_equal(comparison->total.state, COMPARISON_SAME);
	assert_false(comparison->any_significant);
	assert_int_equal(comparison->n_stacks, 0);
}

static void test_little_is_not_significant(void **state)
{
	(void)state;
	add_workers();
	copy_at(&older, 5, "/a.py", "f", 3, "int", 10007);
	copy_at(&newer, 9, "/a.py", "f", 3, "int", 10007);
	copy_at(&older, 5, "/a.py", "g", 7, "int", 2);
	copy_at(&newer, 9, "/a.py", "g", 7, "int", 5);
	compare();
	assert_int_equal(site("g", 7, "int")->state, COMPARISON_MORE);
	assert_false(site("g", 7, "int")->significant);
	assert_false(comparison->any_significant);
}

/* As much as before, but of something else. */
static void test_the_total_does_not_hide_what_changed(void **state)
{
	(void)state;
	add_workers();
	copy_at(&older, 5, "/a.py", "f", 3, "int", 101);
	copy_at(&newer, 9, "/a.py", "f", 3, "str", 101);
	compare();
	assert_int_equal(comparison->total.state, COMPARISON_SAME);
	assert_true(comparison->any_significant);
	assert_int_equal(site("f", 3, "int")->state, COMPARISON_GONE);
	assert_int_equal(site("f", 3, "str")->state, COMPARISON_APPEARED);
}

/* --- remarks ----------------------------------------------------------------- */

/* Whether something is said, and as what. */
static void assert_remark(const char *words, bool unfair)
{
	compare();
	for (size_t i = 0; i < comparison->n_remarks; i++) {
		if (!strstr(comparison->remarks[i].text, words))
			continue;
		assert_int_equal(comparison->remarks[i].unfair, unfair);
		close_worlds(NULL);
		open_worlds(NULL);
		add_workers();
		return;
	}
	fail_msg("nothing is said of: %s", words);
}

static void test_remarks(void **state)
{
	(void)state;
	add_workers();
	compare();
	assert_int_equal(comparison->n_remarks, 0);
	comparison__free(comparison);

	newer.capture.seconds = 31.2 * 2.1;
	assert_remark("31.2 s then, for 65.5 s now", true);
	newer.capture.seconds = 40;
	assert_remark("for 40 s now", false);
	older.capture.cut = "killed";
	assert_remark("older recording is cut off", true);
	older.capture.cut = newer.capture.cut = "killed";
	assert_remark("Both recordings are cut off", true);
	older.capture.lost = 7;
	assert_remark("7 then (100.0 %), 0 now", true);
	newer.capture.lost = 1;
	copy_at(&newer, 9, "/a.py", "f", 3, "int", 101);
	assert_remark("0 then (0.0 %), 1 now", false);
	newer.capture.witness = "fexit";
	assert_remark("tracepoints then, fexit now", true);
	newer.capture.witness_limits = "nothing";
	assert_remark("does not see is not the same", false);
	newer.host.page_size = 16384;
	assert_remark("Pages of 4 KiB then, of 16 KiB now", true);
	newer.host.kernel = "7.0.1";
	assert_remark("6.18.5 then, 7.0.1 now", false);
	newer.host.machine = "aarch64";
	assert_remark("x86_64 then, aarch64 now", false);
	newer.host.version = "9.1";
	assert_remark("then, 9.1 now", false);
	world__process(&newer, (struct process_facts){.pid = 9,
						      .command = "app",
						      .python = "3.14.1",
						      .forked = true,
						      .started = START + 9,
						      .shared_at_fork = MIB});
	assert_remark("3.11.2 then, 3.14.1 now", false);
	add_process(&newer, 10, "app", true);
	assert_remark("1 worker then, 2 now", false);
	world__process(&newer, (struct process_facts){.pid = 9,
						      .command = "app",
						      .python = "3.11.2",
						      .attached = true,
						      .shared_at_fork = MIB});
	assert_remark("attached to running processes now", true);
}

/* As many versions as a service could never have, of names as long as none is. */
static void test_many_pythons(void **state)
{
	char version[300];

	(void)state;
	add_workers();
	memset(version, 'x', sizeof(version) - 1);
	version[sizeof(version) - 1] = '\0';
	for (uint32_t pid = 100; pid < 400; pid++) {
		snprintf(version, sizeof(version), "3.%u", pid);
		version[6] = pid % 2 ? 'x' : '\0';
		world__process(&newer, (struct process_facts){.pid = pid,
							      .command = "app",
							      .python = version,
							      .forked = true,
							      .shared_at_fork = MIB});
	}
	compare();
	for (size_t i = 0; i < comparison->n_remarks; i++)
		assert_true(strlen(comparison->remarks[i].text) < 600);
}

/* --- all made-up captures ---------------------------------------------------- */

#define N_SINGLE (sizeof(golden_cases) / sizeof(golden_cases[0]))

static void check_table(const struct comparison_table *table, const struct snapshot *now,
			const struct comparison *c)
{
	uint64_t then_copies = 0, now_copies = 0, then_bytes = 0, now_bytes = 0;

	for (size_t i = 0; i < table->n; i++) {
		then_copies += table->rows[i].older.copies;
		now_copies += table->rows[i].newer.copies;
		then_bytes += table->rows[i].older.bytes;
		now_bytes += table->rows[i].newer.bytes;
	}
	assert_int_equal(then_copies, c->older->capture.copies);
	assert_int_equal(now_copies, now->capture.copies);
	assert_int_equal(then_bytes, c->total.older.bytes);
	assert_int_equal(now_bytes, c->total.newer.bytes);
}

static void check_sums(const struct pair_world *p)
{
	const struct comparison *c = p->comparison;
	uint64_t then = 0, now = 0;

	check_table(&c->causes, &p->snap, c);
	check_table(&c->sites, &p->snap, c);
	check_table(&c->processes, &p->snap, c);
	for (size_t i = 0; i < c->n_stacks; i++) {
		then += c->weights[i].older.bytes;
		now += c->weights[i].newer.bytes;
		assert_true(c->stacks[i].process < c->processes.n);
	}
	assert_int_equal(then, c->total.older.bytes);
	assert_int_equal(now, c->total.newer.bytes);
}

static void test_every_run_with_every_other(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_SINGLE; i++) {
		for (size_t k = 0; k < N_SINGLE; k++) {
			const struct golden_pair pair = {"", golden_cases[i].build,
							 golden_cases[k].build};
			struct pair_world p;

			pair__open(&pair, &p);
			check_sums(&p);
			if (i == k)
				assert_false(p.comparison->any_significant);
			pair__close(&p);
		}
	}
}

static void test_a_run_with_itself(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_SINGLE; i++) {
		const struct golden_pair pair = {"", golden_cases[i].build, golden_cases[i].build};
		struct pair_world p;

		pair__open(&pair, &p);
		assert_int_equal(p.comparison->n_stacks <= p.snap.n_stacks, true);
		for (size_t k = 0; k < p.comparison->n_stacks; k++)
			assert_int_equal(p.comparison->weights[k].older.bytes,
					 p.comparison->weights[k].newer.bytes);
		for (size_t k = 0; k < p.comparison->sites.n; k++)
			assert_null(p.comparison->sites.rows[k].older_file);
		pair__close(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_per_worker),
		TEST(test_what_is_a_change),
		TEST(test_workers_divide),
		TEST(test_no_workers_are_one),
		TEST(test_helpers_are_no_workers),
		TEST(test_an_attached_master_is_no_worker),
		TEST(test_other_workers),
		TEST(test_nothing_at_all),
		TEST(test_little_is_not_significant),
		TEST(test_the_total_does_not_hide_what_changed),
		TEST(test_remarks),
		TEST(test_many_pythons),
		TEST(test_every_run_with_every_other),
		TEST(test_a_run_with_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
