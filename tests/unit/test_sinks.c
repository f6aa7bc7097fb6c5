/* SPDX-License-Identifier: MIT */
/*
 * Golden tests: each made-up capture through each sink, compared byte for byte with
 * tests/golden/<case>.<sink>. scripts/update-golden writes the files anew. Of a flame graph, style
 * and script are left out, and a profile of pprof is compared as text.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "golden_cases.h"
#include "pprof_text.h"
#include "sink/escape.h"
#include "sink/sink.h"

#define N_CASES (sizeof(golden_cases) / sizeof(golden_cases[0]))

static const struct sink *const sinks[] = {&sink_text,	     &sink_json,  &sink_folded,
					   &sink_flamegraph, &sink_pprof, &sink_speedscope,
					   &sink_html};

/* Cuts what stands between two words, wherever it does. */
static void cut(char *text, size_t *size, const char *from, const char *to)
{
	char *begin = strstr(text, from), *end;

	assert_non_null(begin);
	for (; begin; begin = strstr(begin, from)) {
		begin += strlen(from);
		end = strstr(begin, to);
		assert_non_null(end);
		memmove(begin, end, *size + 1 - (size_t)(end - text));
		*size -= (size_t)(end - begin);
	}
}

/* Without what is the same in all of them; the flame graph has files of its own. */
static char *make_readable(const struct sink *sink, char *output, size_t *size)
{
	if (sink == &sink_pprof)
		return pprof__text(output, size);
	if (sink == &sink_html)
		cut(output, size, "<div class=\"flame\">\n", "</div>\n</section>");
	if (sink == &sink_flamegraph || sink == &sink_html) {
		cut(output, size, "<style>\n", "</style>");
		cut(output, size, "<script>\n", "</script>");
	}
	return output;
}

static char *render(struct world *w, const struct sink *sink, const struct sink_options *opt,
		    size_t *size)
{
	char *output = NULL;
	FILE *out = open_memstream(&output, size);

	assert_non_null(out);
	assert_int_equal(sink->write(world__snapshot(w), opt, out), 0);
	fclose(out);
	return make_readable(sink, output, size);
}

static char *render_case(const struct golden_case *c, const struct sink *sink,
			 const struct sink_options *opt, size_t *size)
{
	char *output = NULL;
	struct world w;

	world__open(&w);
	c->build(&w);
	output = render(&w, sink, opt, size);
	world__close(&w);
	return output;
}

static void compare(const struct golden_case *c, const struct sink *sink)
{
	const struct sink_options opt = {0};
	_free_ char *want = NULL, *path = NULL, *got = NULL;
	size_t got_size, want_size = 0;
	FILE *file;

	got = render_case(c, sink, &opt, &got_size);
	assert_true(asprintf(&path, "tests/golden/%s.%s", c->name, sink->name) > 0);
	file = fopen(path, getenv("UPDATE_GOLDEN") ? "w" : "r");
	if (!file)
		fail_msg("%s: run from the top of the tree, after scripts/update-golden", path);
	if (getenv("UPDATE_GOLDEN")) {
		fwrite(got, 1, got_size, file);
	} else {
		want = calloc(1, got_size + 2);
		want_size = fread(want, 1, got_size + 1, file);
		if (want_size != got_size || memcmp(want, got, got_size) != 0)
			fail_msg("%s differs; this is what came:\n%s", path, got);
	}
	fclose(file);
}

static void test_golden(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_CASES; i++)
		for (size_t k = 0; k < sizeof(sinks) / sizeof(sinks[0]); k++)
			compare(&golden_cases[i], sinks[k]);
}

/* Whatever is traced, nothing but text and the sink's own line ends comes out. */
static void test_no_control_reaches_the_output(void **state)
{
	const struct sink_options opt = {.top = 100};

	(void)state;
	for (size_t i = 0; i < N_CASES; i++) {
		for (size_t k = 0; k < sizeof(sinks) / sizeof(sinks[0]); k++) {
			size_t size, at = 0;
			_free_ char *output = render_case(&golden_cases[i], sinks[k], &opt, &size);
			unsigned int codepoint;

			while (at < size) {
				at += utf8__decode(output + at, size - at, &codepoint);
				if (codepoint != '\n' && utf8__is_control(codepoint))
					fail_msg("%s.%s has U+%04x", golden_cases[i].name,
						 sinks[k]->name, codepoint);
			}
		}
	}
}

static void test_text_fits_100_columns(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_CASES; i++) {
		for (unsigned int top = 1; top < 20; top += 9) {
			const struct sink_options opt = {.top = top};
			size_t size;
			_free_ char *output =
				render_case(&golden_cases[i], &sink_text, &opt, &size);

			for (char *line = strtok(output, "\n"); line; line = strtok(NULL, "\n")) {
				if (escape__width(line) > 100)
					fail_msg("%s: too wide:\n%s", golden_cases[i].name, line);
				if (line[strlen(line) - 1] == ' ')
					fail_msg("%s: space at the end:\n%s", golden_cases[i].name,
						 line);
			}
		}
	}
}

static void test_color_only_when_asked(void **state)
{
	const struct sink_options color = {.color = true}, plain = {0};
	size_t size;
	_free_ char *with = render_case(&golden_cases[0], &sink_text, &color, &size);
	_free_ char *without = render_case(&golden_cases[0], &sink_text, &plain, &size);

	(void)state;
	assert_non_null(strstr(with, "\033[1m"));
	assert_null(strchr(without, '\033'));
}

/* Parca refuses ids that do not count from 1 and a first string that is not empty; Pyroscope drops
 * what points to nothing; both want a mapping that says that names are there. */
static void check_pprof(char *text)
{
	static const char *const kinds[] = {"mapping", "function", "location"};
	unsigned int last[3] = {0}, types = 0, id, line_id, strings = 0;
	char kind[32];

	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (sscanf(line, "%31s { id %u", kind, &id) == 2)
			for (int i = 0; i < 3; i++)
				if (strcmp(kind, kinds[i]) == 0)
					assert_int_equal(id, ++last[i]);
		if (sscanf(line, "location { id %u  mapping_id 1  line { function_id %u", &id,
			   &line_id) == 2)
			assert_in_range(line_id, 1, last[1]); /* it came before */
		if (strncmp(line, "location ", 9) == 0)
			assert_non_null(strstr(line, " line { function_id "));
		if (strncmp(line, "mapping ", 8) == 0)
			assert_non_null(strstr(line, " has_functions 1 "));
		if (strncmp(line, "string_table ", 13) == 0 && !strings++)
			assert_string_equal(line, "string_table \"\"");
		types += strncmp(line, "sample_type ", 12) == 0;
	}
	assert_int_equal(types, 2);
	assert_int_equal(last[0], 1);
	assert_true(last[1] <= last[2]);
}

static void test_pprof_is_what_its_readers_ask_for(void **state)
{
	const struct sink_options opt = {0};
	size_t size;

	(void)state;
	for (size_t i = 0; i < N_CASES; i++) {
		_free_ char *text = render_case(&golden_cases[i], &sink_pprof, &opt, &size);

		check_pprof(text);
	}
}

/* A disk that is full must not pass for a report that was written. */
static void test_failed_stream_is_reported(void **state)
{
	const struct sink_options opt = {0};
	struct world w;

	(void)state;
	world__open(&w);
	case_gunicorn(&w);
	for (size_t k = 0; k < sizeof(sinks) / sizeof(sinks[0]); k++) {
		_fclose_ FILE *full = fopen("/dev/full", "w");

		assert_non_null(full);
		assert_int_equal(sinks[k]->write(world__snapshot(&w), &opt, full), -EIO);
	}
	world__close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_no_control_reaches_the_output),
		cmocka_unit_test(test_text_fits_100_columns),
		cmocka_unit_test(test_color_only_when_asked),
		cmocka_unit_test(test_pprof_is_what_its_readers_ask_for),
		cmocka_unit_test(test_failed_stream_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
