/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <cowtrace/abi.h>

#include "enrich/sweep.h"

static struct sweeps *sweeps;

static bool add(uint32_t tid, uint64_t ip, uint64_t addr)
{
	return sweeps__add(sweeps, &(struct ct_copy){.tid = tid, .ip = ip, .addr = addr});
}

static int begin(void **state)
{
	(void)state;
	return sweeps__new(&sweeps);
}

static int end(void **state)
{
	(void)state;
	sweeps__free(sweeps);
	return 0;
}

static void up_and_down(void **state)
{
	(void)state;
	assert_false(add(1, 7, 0x10ff8));
	assert_true(add(1, 7, 0x11000));
	assert_true(add(1, 7, 0x12038));
	assert_false(add(1, 7, 0x14000)); /* a page is left out */
	assert_true(add(1, 7, 0x13ff8));
	assert_true(add(1, 7, 0x12fc0));
}

static void what_is_none(void **state)
{
	(void)state;
	assert_false(add(1, 7, 0x10000));
	assert_false(add(1, 7, 0x11040)); /* not at its edge */
	assert_false(add(1, 7, 0x10f80));
	assert_false(add(1, 8, 0x11000));	 /* another instruction */
	assert_false(add(2, 8, 0x12000));	 /* another thread */
	assert_false(add(1 + 1024, 8, 0x12000)); /* ... that has the place of the first */
	assert_false(add(1, 8, 0x12000));
	assert_true(add(1, 8, 0x13000));
	assert_false(add(1, 8, 0x13000)); /* the same page again */
}

static void at_the_ends_of_memory(void **state)
{
	(void)state;
	assert_false(add(3, 7, 0));
	assert_false(add(3, 7, UINT64_MAX));
	assert_false(add(3, 7, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(up_and_down, begin, end),
		cmocka_unit_test_setup_teardown(what_is_none, begin, end),
		cmocka_unit_test_setup_teardown(at_the_ends_of_memory, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
