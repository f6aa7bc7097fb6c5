// SPDX-License-Identifier: MIT
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "python/code.h"

/* First byte of an entry: its code and its length in code units. */
#define ENTRY(code, units) (0x80 | (code) << 3 | ((units)-1))

#define TABLE(...) .table = {__VA_ARGS__}, .len = sizeof((uint8_t[]){__VA_ARGS__})

struct line_case {
	const char *what;
	uint8_t table[24];
	size_t len;
	uint32_t first;
	long unit;
	uint32_t line;
};

static const struct line_case cases[] = {
	{"not started", TABLE(ENTRY(0, 1), 0), 7, -1, 7},
	{"not started, no table", .first = 7, .unit = -1, .line = 7},
	{"short form keeps the line", TABLE(ENTRY(9, 2), 0x12), 7, 1, 7},
	{"one line form 0", TABLE(ENTRY(10, 1), 1, 2), 7, 0, 7},
	{"one line form 1", TABLE(ENTRY(11, 1), 1, 2), 7, 0, 8},
	{"one line form 2", TABLE(ENTRY(12, 1), 1, 2), 7, 0, 9},
	{"no columns, forward", TABLE(ENTRY(13, 1), 6), 7, 0, 10},
	{"no columns, back", TABLE(ENTRY(13, 1), 7), 7, 0, 4},
	{"two bytes of delta", TABLE(ENTRY(13, 1), 0x40, 0x02), 7, 0, 7 + 64},
	{"long form", TABLE(ENTRY(14, 8), 4, 1, 2, 3), 7, 7, 9},
	{"no location", TABLE(ENTRY(15, 1)), 7, 0, 0},
	{"line survives no location", TABLE(ENTRY(11, 1), 0, 0, ENTRY(15, 1), ENTRY(0, 1), 0), 7, 2,
	 8},
	{"deltas add up", TABLE(ENTRY(13, 2), 2, ENTRY(13, 2), 2, ENTRY(13, 2), 3), 7, 5, 8},
	{"first of the next entry", TABLE(ENTRY(0, 2), 0, ENTRY(11, 1), 0, 0), 7, 2, 8},
	/* Hostile ones. */
	{"empty", .first = 7, .unit = 0, .line = 0},
	{"behind the end", TABLE(ENTRY(0, 8), 0), 7, 8, 0},
	{"far behind the end", TABLE(ENTRY(0, 8), 0), 7, LONG_MAX, 0},
	{"begins inside an entry", TABLE(0x12, ENTRY(0, 8), 0), 7, 0, 0},
	{"delta cut off", TABLE(ENTRY(13, 1)), 7, 0, 0},
	{"delta goes on past the end", TABLE(ENTRY(13, 1), 0x7f), 7, 0, 0},
	{"delta runs into the next entry", TABLE(ENTRY(13, 1), 0x7f, ENTRY(0, 1), 0), 7, 0, 0},
	{"delta without end", TABLE(ENTRY(13, 1), 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 1), 7,
	 0, 0},
	{"delta wider than 32 bits", TABLE(ENTRY(13, 1), 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x3f), 7, 0,
	 0},
	{"line below 1", TABLE(ENTRY(13, 1), 15), 7, 0, 0},
	{"line 0", TABLE(ENTRY(13, 1), 15), 7, 0, 0},
	{"line too large", TABLE(ENTRY(11, 1), 0, 0), INT_MAX, 0, 0},
	{"first line too large", TABLE(ENTRY(0, 1), 0), UINT_MAX, 0, 0},
	{"first line too large, not started", TABLE(ENTRY(0, 1), 0), UINT_MAX, -1, 0},
};

/* Each table in a heap block of its very size, so that ASan sees a read past its end. */
static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct line_case *c = &cases[i];
		uint8_t *table = malloc(c->len + !c->len);
		uint32_t line;

		assert_non_null(table);
		memcpy(table, c->table, c->len);
		line = py_location_table__line(table, c->len, c->first, c->unit);
		free(table);
		if (line != c->line)
			fail_msg("%s: line %u, not %u", c->what, line, c->line);
	}
}

static void test_table_too_long(void **state)
{
	size_t len = PY_LINE_TABLE_MAX + 1;
	uint8_t *table = malloc(len);

	(void)state;
	assert_non_null(table);
	memset(table, ENTRY(15, 8), len);
	table[0] = ENTRY(0, 1);
	assert_int_equal(py_location_table__line(table, len, 7, 0), 0);
	assert_int_equal(py_location_table__line(table, len - 1, 7, 0), 7);
	free(table);
}

/* Every prefix of random bytes: bounds only, the values mean nothing. */
static void test_random(void **state)
{
	unsigned int seed = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t len = rand_r(&seed) % 24;
		uint8_t *table = malloc(len + !len);

		assert_non_null(table);
		for (size_t i = 0; i < len; i++)
			table[i] = rand_r(&seed);
		assert_true(py_location_table__line(table, len, rand_r(&seed), round % 40) <=
			    INT_MAX);
		free(table);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_table_too_long),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
