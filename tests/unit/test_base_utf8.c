/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/utf8.h"

#define FFFD "\xef\xbf\xbd"
#define DOTS "\xe2\x80\xa6"

static void check(const char *src, size_t len, const char *expected)
{
	char dst[NAME_MAX_BYTES];

	memset(dst, 'Z', sizeof(dst));
	assert_int_equal(utf8__sanitize(dst, sizeof(dst), src, len), strlen(expected));
	assert_string_equal(dst, expected);
}

#define CHECK(literal, expected) check(literal, sizeof(literal) - 1, expected)

static void valid_text_is_kept(void **state)
{
	(void)state;
	CHECK("", "");
	CHECK("plain", "plain");
	CHECK("\xc2\x80 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xef\xbf\xbf \xf0\x90\x80\x80 "
	      "\xf4\x8f\xbf\xbf",
	      "\xc2\x80 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xef\xbf\xbf \xf0\x90\x80\x80 "
	      "\xf4\x8f\xbf\xbf");
	CHECK("\x1b[0m", "\x1b[0m"); /* escaping is for sinks */
}

static void invalid_bytes_are_replaced(void **state)
{
	(void)state;
	CHECK("a\0b", "a" FFFD "b");
	CHECK("\x80", FFFD);
	CHECK("\xff\xfe", FFFD FFFD);
	CHECK("\xc3", FFFD);				/* cut */
	CHECK("\xe2\x80", FFFD FFFD);			/* cut */
	CHECK("\xc3x", FFFD "x");			/* not continued */
	CHECK("\xc0\xaf", FFFD FFFD);			/* overlong / */
	CHECK("\xe0\x80\xaf", FFFD FFFD FFFD);		/* overlong / */
	CHECK("\xed\xa0\x80", FFFD FFFD FFFD);		/* surrogate */
	CHECK("\xf4\x90\x80\x80", FFFD FFFD FFFD FFFD); /* above U+10FFFF */
	CHECK("\xf8\x88\x80\x80\x80", FFFD FFFD FFFD FFFD FFFD);
}

static void cut_at_a_character_boundary(void **state)
{
	static const struct {
		size_t size;
		const char *src, *expected;
	} cases[] = {
		{7, "abcdef", "abcdef"},
		{7, "abcdefg", "abc" DOTS},
		{8, "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", "\xc3\xa9\xc3\xa9" DOTS},
		{7, "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", "\xc3\xa9" DOTS},
		{9, "\xf0\x9f\x98\x80\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80\xf0\x9f\x98\x80"},
		{8, "\xf0\x9f\x98\x80\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" DOTS},
		{4, "abcd", DOTS},
		{3, "abcd", "ab"},
		{1, "a", ""},
	};
	char dst[16];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(dst, 'Z', sizeof(dst));
		assert_int_equal(
			utf8__sanitize(dst, cases[i].size, cases[i].src, strlen(cases[i].src)),
			strlen(cases[i].expected));
		assert_string_equal(dst, cases[i].expected);
		assert_int_equal(dst[cases[i].size], 'Z');
	}
	assert_int_equal(utf8__sanitize(NULL, 0, "abc", 3), 0);
}

static void encode_and_decode_are_inverse(void **state)
{
	unsigned int codepoint;
	char text[4];
	size_t n;

	(void)state;
	for (unsigned int c = 0; c <= 0x110100; c++) {
		int valid = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);

		n = utf8__encode(text, c);
		assert_int_equal(utf8__decode(text, n, &codepoint), n);
		assert_int_equal(codepoint, valid ? c : 0xfffd);
	}
	assert_int_equal(utf8__encode(text, UINT32_MAX), 3);
	assert_int_equal(utf8__decode("", 0, &codepoint), 0);
}

static void controls(void **state)
{
	static const unsigned int yes[] = {0,	   '\n',   0x1b,   0x7f,   0x80,   0x9f,   0x200b,
					   0x200f, 0x2028, 0x202e, 0x2066, 0x2069, 0xfeff, 0xe0001};
	static const unsigned int no[] = {' ',	  '~',	  0xa0,	  0xe9,	  0x2010,
					  0x2026, 0x4e2d, 0xfffd, 0x1f600};

	(void)state;
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		assert_true(utf8__is_control(yes[i]));
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		assert_false(utf8__is_control(no[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid_text_is_kept),
		cmocka_unit_test(invalid_bytes_are_replaced),
		cmocka_unit_test(cut_at_a_character_boundary),
		cmocka_unit_test(encode_and_decode_are_inverse),
		cmocka_unit_test(controls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
