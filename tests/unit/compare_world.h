/* SPDX-License-Identifier: MIT */
/* Two runs that a test fills and compares. */
#ifndef COWTRACE_TEST_COMPARE_WORLD_H
#define COWTRACE_TEST_COMPARE_WORLD_H

#include <string.h>

#include "golden_pairs.h"

/* Two runs while they are filled, and then compared. */
static struct world older, newer;
static struct comparison *comparison;

static inline int open_worlds(void **state)
{
	(void)state;
	world__open(&older);
	world__open(&newer);
	comparison = NULL;
	return 0;
}

static inline int close_worlds(void **state)
{
	(void)state;
	comparison__free(comparison);
	world__close(&older);
	world__close(&newer);
	return 0;
}

static inline void compare(void)
{
	assert_int_equal(comparison__new(world__snapshot(&older), world__snapshot(&newer), "o.cow",
					 &comparison),
			 0);
}

static inline void add_process(struct world *w, uint32_t pid, const char *command, bool worker)
{
	world__process(w, (struct process_facts){.pid = pid,
						 .command = command,
						 .python = "3.11.2",
						 .forked = worker,
						 .shared_at_fork = worker ? MIB : SNAPSHOT_UNKNOWN,
						 .started = START + pid});
}

static inline void copy_at(struct world *w, uint32_t pid, const char *file, const char *function,
			   uint32_t line, const char *type, uint64_t n)
{
	struct stack_fact *stack = STACK(w, CT_UNWIND_COMPLETE, {file, function, line, 0},
					 {"/srv/main.py", "<module>", 1, 0});

	world__copy(
		w, n,
		(struct deed){.pid = pid, .cause = CAUSE_REFCOUNT, .type = type, .stack = stack});
}

/* One worker in each run. */
static inline void add_workers(void)
{
	add_process(&older, 5, "app", true);
	add_process(&newer, 9, "app", true);
}

static inline const struct comparison_row *site(const char *function, uint32_t line,
						const char *type)
{
	const struct comparison_row *found = NULL;

	for (size_t i = 0; i < comparison->sites.n; i++) {
		const struct comparison_row *row = &comparison->sites.rows[i];

		if (strcmp(row->function, function) == 0 && row->line == line &&
		    strcmp(row->type, type) == 0) {
			assert_null(found);
			found = row;
		}
	}
	if (!found)
		fail_msg("no row for %s:%u", function, line);
	return found;
}

static inline void assert_row(const struct comparison_row *row, uint64_t then, uint64_t now)
{
	assert_int_equal(row->older.copies, then);
	assert_int_equal(row->newer.copies, now);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_worlds, close_worlds)

#endif
