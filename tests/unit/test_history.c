/* SPDX-License-Identifier: MIT */
/* Copies over time and over addresses. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "model/history.h"
#include "model/pages.h"

#define MS 1000000ull

static uint64_t sum(const uint64_t *buckets)
{
	uint64_t n = 0;

	for (int i = 0; i < HISTORY_BUCKETS; i++)
		n += buckets[i];
	return n;
}

static void test_buckets_widen_and_lose_nothing(void **state)
{
	struct history *h;
	struct history_series *s;

	(void)state;
	assert_int_equal(history__new(&h), 0);
	s = history__series(h);
	history__begin(h, 1000 * MS);
	history__copied(h, s, 999 * MS, CAUSE_REFCOUNT, 3); /* a little before the start */
	history__copied(h, s, 1000 * MS + 239 * MS, CAUSE_REFCOUNT, 5);
	assert_int_equal(history__width(h), MS);
	assert_int_equal(s->copied[239], 5);
	history__copied(h, s, 1000 * MS + 240 * MS, CAUSE_GC_HEADER, 7);
	assert_int_equal(history__width(h), 2 * MS);
	assert_int_equal(s->copied[0], 3);
	assert_int_equal(s->copied[119], 5);
	assert_int_equal(s->copied[120], 7);
	history__copied(h, NULL, 3600000 * MS, CAUSE_REFCOUNT, 11);
	assert_int_equal(sum(s->copied), 15);
	assert_int_equal(sum(history__by_cause(h, CAUSE_REFCOUNT)), 19);
	assert_int_equal(sum(history__by_cause(h, CAUSE_GC_HEADER)), 7);
	history__copied(h, s, UINT64_MAX, CAUSE_REFCOUNT, 1); /* ends */
	assert_int_equal(sum(s->copied), 16);
	history__free(h);
}

static void test_of_two_measurements_the_later_stays(void **state)
{
	struct history *h;
	struct history_series *s;

	(void)state;
	assert_int_equal(history__new(&h), 0);
	s = history__series(h);
	history__begin(h, 0);
	history__fresh(h, s, 0, 100);
	history__fresh(h, s, MS, 200);
	history__fresh(h, s, 4 * MS, 300);
	history__fresh(h, s, 240 * MS, 400);
	assert_int_equal(s->fresh[0], 200);
	assert_true(s->fresh[1] == HISTORY_NONE);
	assert_int_equal(s->fresh[2], 300);
	assert_int_equal(s->fresh[120], 400);
	assert_true(s->fresh[239] == HISTORY_NONE);
	history__free(h);
}

static void test_series_are_limited(void **state)
{
	struct history *h;

	(void)state;
	assert_int_equal(history__new(&h), 0);
	for (int i = 0; i < HISTORY_SERIES; i++)
		assert_non_null(history__series(h));
	assert_null(history__series(h));
	history__free(h);
}

static void test_pages_are_sorted_and_counted(void **state)
{
	const char *heap = "heap", *file = "file";
	const char *const *names;
	struct pages *p;
	struct page *pages;
	size_t n;

	(void)state;
	assert_int_equal(pages__new(&p), 0);
	assert_null(pages__sorted(p, &n));
	for (uint64_t number = 5000; number; number--)
		pages__add(p, number, CAUSE_MUTATION, number % 2 ? heap : file);
	for (int i = 0; i < 5000; i++) /* more copies than a word can count */
		pages__add(p, 7, CAUSE_REFCOUNT, heap);
	pages = pages__sorted(p, &n);
	names = pages__names(p, &n);
	assert_int_equal(n, 2);
	assert_string_equal(names[pages[5].name], "file");
	assert_string_equal(names[pages[6].name], "heap");
	free(pages);
	pages = pages__sorted(p, &n);
	assert_int_equal(n, 5000);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(page__number(pages[i].word), i + 1);
	assert_int_equal(page__copies(pages[5].word), 1);
	assert_int_equal(page__copies(pages[6].word), 4095);
	assert_int_equal(page__cause(pages[6].word), CAUSE_MUTATION);
	free(pages);
	assert_int_equal(pages__beyond(p), 0);
	pages__free(p);
}

static void test_pages_beyond_the_limit_are_counted(void **state)
{
	struct pages *p;

	(void)state;
	assert_int_equal(pages__new(&p), 0);
	for (uint64_t number = 1; number <= PAGES_MAX + 13; number++)
		pages__add(p, number * 3, CAUSE_BUFFER, "x");
	pages__add(p, UINT64_MAX, CAUSE_BUFFER, "x"); /* no address of anybody */
	pages__add(p, 3, CAUSE_BUFFER, "x");	      /* this one has a place */
	assert_int_equal(pages__beyond(p), 14);
	pages__free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buckets_widen_and_lose_nothing),
		cmocka_unit_test(test_of_two_measurements_the_later_stays),
		cmocka_unit_test(test_series_are_limited),
		cmocka_unit_test(test_pages_are_sorted_and_counted),
		cmocka_unit_test(test_pages_beyond_the_limit_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
