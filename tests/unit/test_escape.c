/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "sink/escape.h"

static void escapes(const char *s, const char *want)
{
	_free_ char *got = escape__dup(s);

	assert_string_equal(got, want);
}

static void test_controls_become_visible(void **state)
{
	(void)state;
	escapes("\033[31m", "\\x1b[31m");
	escapes("a\nb\tc\x7f", "a\\x0ab\\x09c\\x7f");
	escapes("\xc2\x9b", "\\u{009b}");
	escapes("\xe2\x80\xae", "\\u{202e}");
	escapes("\xf3\xa0\x81\x81", "\\u{e0041}");
}

static void test_text_stays(void **state)
{
	(void)state;
	escapes("", "");
	escapes(NULL, "");
	escapes("na\xc3\xafve \xf0\x9f\x90\x84 \\n \"<&>",
		"na\xc3\xafve \xf0\x9f\x90\x84 \\n \"<&>");
}

static void test_invalid_bytes_are_replaced(void **state)
{
	(void)state;
	escapes("a\xff\xc3", "a\xef\xbf\xbd\xef\xbf\xbd");
}

static void test_worst_growth_fits(void **state)
{
	char s[1001];

	(void)state;
	memset(s, 1, sizeof(s) - 1);
	s[1000] = '\0';
	_free_ char *got = escape__dup(s);

	assert_int_equal(strlen(got), 4000);
}

static void test_replace(void **state)
{
	_free_ char *got = escape__dup_replace("a;b;\n", ";", ':');

	(void)state;
	assert_string_equal(got, "a:b:\\x0a");
}

static void fits(const char *s, size_t width, enum escape_cut where, const char *want)
{
	_free_ char *got = escape__fit(s, width, where);

	assert_string_equal(got, want);
	assert_true(escape__width(got) <= width);
}

static void test_fit(void **state)
{
	(void)state;
	fits("abcdef", 6, ESCAPE_CUT_END, "abcdef");
	fits("abcdef", 5, ESCAPE_CUT_END, "abcd\xe2\x80\xa6");
	fits("abcdef", 5, ESCAPE_CUT_START,
	     "\xe2\x80\xa6"
	     "cdef");
	fits("abcdef", 5, ESCAPE_CUT_MIDDLE,
	     "ab\xe2\x80\xa6"
	     "ef");
	fits("ab", 1, ESCAPE_CUT_END, "\xe2\x80\xa6");
	fits("ab", 1, ESCAPE_CUT_MIDDLE, "\xe2\x80\xa6");
	fits("\xc3\xa9\xc3\xa9\xc3\xa9", 2, ESCAPE_CUT_END, "\xc3\xa9\xe2\x80\xa6");
	fits("\033\033", 5, ESCAPE_CUT_END, "\\x1b\xe2\x80\xa6");
}

static void test_numbers(void **state)
{
	(void)state;
	assert_string_equal(number__count(0).s, "0");
	assert_string_equal(number__count(999).s, "999");
	assert_string_equal(number__count(1000).s, "1,000");
	assert_string_equal(number__count(UINT64_MAX).s, "18,446,744,073,709,551,615");
	assert_string_equal(number__mib(0).s, "0.0");
	assert_string_equal(number__mib(1536 << 10).s, "1.5");
	assert_string_equal(number__mib((1024ull << 20) - 1).s, "1,024.0");
	assert_string_equal(number__percent(0, 0).s, "0.0");
	assert_string_equal(number__percent(1, 100000).s, "<0.1");
	assert_string_equal(number__percent(99999, 100000).s, "99.9");
	assert_string_equal(number__percent(5, 5).s, "100.0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_controls_become_visible),
		cmocka_unit_test(test_text_stays),
		cmocka_unit_test(test_invalid_bytes_are_replaced),
		cmocka_unit_test(test_worst_growth_fits),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_fit),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
