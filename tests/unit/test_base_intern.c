/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/intern.h"

static void equal_strings_have_equal_pointers(void **state)
{
	char text[] = "list";
	struct intern *pool;
	const char *first;

	(void)state;
	assert_int_equal(intern__new(&pool), 0);
	first = intern__str(pool, text);
	assert_ptr_not_equal(first, text);
	text[0] = 'L';
	assert_string_equal(first, "list");
	assert_ptr_equal(intern__str(pool, "list"), first);
	assert_ptr_not_equal(intern__str(pool, text), first);
	assert_ptr_not_equal(intern__str(pool, "lis"), first);
	intern__free(pool);
}

static void null_and_empty_differ(void **state)
{
	struct intern *pool;

	(void)state;
	assert_int_equal(intern__new(&pool), 0);
	assert_null(intern__str(pool, NULL));
	assert_string_equal(intern__str(pool, ""), "");
	assert_ptr_equal(intern__str(pool, ""), intern__str(pool, ""));
	intern__free(pool);
	intern__free(NULL);
}

static void pointers_survive_growth(void **state)
{
	static const char *seen[5000];
	struct intern *pool;
	char text[16];

	(void)state;
	assert_int_equal(intern__new(&pool), 0);
	for (int i = 0; i < 5000; i++) {
		snprintf(text, sizeof(text), "name%d", i);
		seen[i] = intern__str(pool, text);
	}
	for (int i = 0; i < 5000; i++) {
		snprintf(text, sizeof(text), "name%d", i);
		assert_string_equal(seen[i], text);
		assert_ptr_equal(intern__str(pool, text), seen[i]);
	}
	intern__free(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_strings_have_equal_pointers),
		cmocka_unit_test(null_and_empty_differ),
		cmocka_unit_test(pointers_survive_growth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
