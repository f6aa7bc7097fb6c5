/* SPDX-License-Identifier: MIT */
/* What the sinks are made of: text in SVG, numbered strings, Protocol Buffers, gzip. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "pprof_text.h"
#include "sink/gzip.h"
#include "sink/proto.h"
#include "sink/string_table.h"
#include "sink/svg.h"

/* --- SVG --------------------------------------------------------------------- */

enum svg_way {
	WHOLE,
	CUT,
	FIT,
};

static void check_svg(enum svg_way way, const char *s, size_t room, const char *want)
{
	_free_ char *got = NULL;
	size_t size;
	FILE *out = open_memstream(&got, &size);

	assert_non_null(out);
	if (way == WHOLE)
		svg__text(out, s);
	else if (way == CUT)
		svg__text_cut(out, s, room);
	else
		svg__text_fit(out, s, room);
	fclose(out);
	assert_string_equal(got, want);
}

static void test_svg_text_is_escaped(void **state)
{
	(void)state;
	check_svg(WHOLE, "<a href=\"x\">&'", 0, "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
	check_svg(WHOLE, "a\nb\x1b\x7f\xe2\x80\xae", 0, "a\\x0ab\\x1b\\x7f\\u{202e}");
	check_svg(WHOLE, "]]>", 0, "]]&gt;");
	/* no characters of XML, though valid UTF-8 */
	check_svg(WHOLE, "\xef\xbf\xbe\xef\xbf\xbf", 0, "\xef\xbf\xbd\xef\xbf\xbd");
	check_svg(WHOLE, "\xf4\x8f\xbf\xbf", 0, "\xf4\x8f\xbf\xbf");
	check_svg(WHOLE, "\xc3(", 0, "\xef\xbf\xbd(");
}

/* The cut comes before the escape: no half of an entity. */
static void test_svg_text_is_cut(void **state)
{
	(void)state;
	check_svg(CUT, "<<<<<<<<", 5, "&lt;&lt;\xe2\x80\xa6&lt;&lt;");
	check_svg(FIT, "&&&&", 3, "&amp;&amp;\xe2\x80\xa6");
	check_svg(FIT, "abc", 3, "abc");
	check_svg(FIT, "abcd", 3, "ab\xe2\x80\xa6");
	check_svg(FIT, "abcd", 1, "\xe2\x80\xa6");
	check_svg(FIT, "abcd", 0, "");
	check_svg(FIT, "", 0, "");
	/* two columns each */
	check_svg(FIT, "\xe4\xb8\xad\xe6\x96\x87", 4, "\xe4\xb8\xad\xe6\x96\x87");
	check_svg(FIT, "\xe4\xb8\xad\xe6\x96\x87", 3, "\xe4\xb8\xad\xe2\x80\xa6");
	check_svg(FIT, "\xe4\xb8\xad\xe6\x96\x87", 2, "\xe2\x80\xa6");
}

/* --- strings ----------------------------------------------------------------- */

static void test_strings_are_numbered_once(void **state)
{
	struct string_table *table;
	char text[16];
	uint32_t n;

	(void)state;
	assert_int_equal(string_table__new(&table), 0);
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < 5000; i++) {
			snprintf(text, sizeof(text), "s%u", i);
			assert_int_equal(string_table__add(table, text, &n), 0);
			assert_int_equal(n, i);
		}
	}
	assert_int_equal(string_table__count(table), 5000);
	assert_string_equal(string_table__get(table, 4711), "s4711");
	string_table__free(table);
}

static void test_strings_are_kept_as_shown(void **state)
{
	struct string_table *table;
	uint32_t control, same, none, empty;

	(void)state;
	assert_int_equal(string_table__new(&table), 0);
	assert_int_equal(string_table__add(table, "\x1b", &control), 0);
	assert_int_equal(string_table__add(table, "\\x1b", &same), 0);
	assert_int_equal(string_table__add(table, NULL, &none), 0);
	assert_int_equal(string_table__add(table, "", &empty), 0);
	assert_int_equal(control, same);
	assert_int_equal(none, empty);
	assert_string_equal(string_table__get(table, control), "\\x1b");
	string_table__free(table);
}

/* --- Protocol Buffers -------------------------------------------------------- */

/* As in https://protobuf.dev/programming-guides/encoding/ */
static void test_proto_is_encoded_as_documented(void **state)
{
	static const uint8_t number[] = {0x08, 0x96, 0x01};
	static const uint8_t text[] = {0x12, 0x07, 't', 'e', 's', 't', 'i', 'n', 'g'};
	static const uint8_t message[] = {0x1a, 0x03, 0x08, 0x96, 0x01};
	static const uint8_t packed[] = {0x32, 0x06, 0x03, 0x8e, 0x02, 0x9e, 0xa7, 0x05};
	static const uint8_t largest[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1};
	struct proto _proto_ p = {}, _proto_ inner = {};

	(void)state;
	proto__number(&p, 1, 150);
	assert_int_equal(p.size, sizeof(number));
	assert_memory_equal(p.data, number, sizeof(number));
	proto__clear(&p);
	proto__bytes(&p, 2, "testing", 7);
	assert_int_equal(p.size, sizeof(text));
	assert_memory_equal(p.data, text, sizeof(text));
	proto__clear(&p);
	proto__number(&inner, 1, 150);
	proto__message(&p, 3, &inner);
	assert_int_equal(p.size, sizeof(message));
	assert_memory_equal(p.data, message, sizeof(message));
	proto__clear(&p);
	proto__clear(&inner);
	for (size_t i = 0; i < 3; i++)
		proto__item(&inner, (uint64_t[]){3, 270, 86942}[i]);
	proto__message(&p, 6, &inner);
	assert_int_equal(p.size, sizeof(packed));
	assert_memory_equal(p.data, packed, sizeof(packed));
	proto__clear(&p);
	proto__item(&p, UINT64_MAX);
	assert_int_equal(p.size, sizeof(largest));
	assert_memory_equal(p.data, largest, sizeof(largest));
	proto__clear(&p);
	proto__number(&p, 1, 0); /* the default is left out */
	assert_int_equal(p.size, 0);
	assert_false(p.failed);
}

/* --- gzip -------------------------------------------------------------------- */

#define LARGE 3000017

static void test_gzip_gives_back_what_it_took(void **state)
{
	_free_ uint8_t *in = malloc(LARGE), *out = NULL;
	_free_ char *packed = NULL;
	struct gzip *gzip;
	size_t size, out_size;
	FILE *file = open_memstream(&packed, &size);

	(void)state;
	assert_true(in && file);
	for (size_t i = 0; i < LARGE; i++)
		in[i] = (uint8_t)(i * i >> 7);
	assert_int_equal(gzip__new(file, &gzip), 0);
	for (size_t at = 0; at < LARGE; at += LARGE / 7)
		assert_int_equal(
			gzip__write(gzip, in + at, LARGE - at < LARGE / 7 ? LARGE - at : LARGE / 7),
			0);
	assert_int_equal(gzip__write(gzip, in, 0), 0);
	assert_int_equal(gzip__finish(gzip), 0);
	gzip__free(gzip);
	fclose(file);
	out = pprof__gunzip(packed, size, &out_size);
	assert_int_equal(out_size, LARGE);
	assert_memory_equal(out, in, LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_svg_text_is_escaped),
		cmocka_unit_test(test_svg_text_is_cut),
		cmocka_unit_test(test_strings_are_numbered_once),
		cmocka_unit_test(test_strings_are_kept_as_shown),
		cmocka_unit_test(test_proto_is_encoded_as_documented),
		cmocka_unit_test(test_gzip_gives_back_what_it_took),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
